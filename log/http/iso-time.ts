/** Microseconds since 1970 as ISO 8601 text in milliseconds, which every language reads. */
export function isoTime(us: bigint): string {
  return new Date(Number(us / 1000n)).toISOString()
}
