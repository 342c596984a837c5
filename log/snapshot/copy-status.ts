/** What a donor tells of a copy while it sends it. */
export interface CopyStatus {
  /** How its receiver calls itself. */
  readonly name: string
  /** ISO 8601. */
  readonly since: string
  /** LSN from behind which it needs the log. */
  readonly startLsn: string
  readonly bytesSent: number
  /** Of rows with their keys. */
  readonly bytesEstimate: number
  readonly entriesSent: number
}
