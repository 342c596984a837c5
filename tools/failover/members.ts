/**
 * Which replicas are members of the cluster from now on: pure, so that its invariant can be tested on any course of events.
 *
 * Invariant: whatever k members have confirmed, k members (of those that there are then) still have; so of n members any
 * n − k + 1 have one of them among them.
 */
export interface MembersInput {
  /** In the record now. */
  readonly known: readonly string[]
  readonly connected: readonly string[]
  /** LSN up to which a member may have confirmed. */
  readonly durable: (serverId: string) => bigint
  /** How many confirm a commit, at least. */
  readonly confirmations: number
}

export function membersAfter({ known, connected, durable, confirmations }: MembersInput): string[] {
  const staying = known.filter((member) => connected.includes(member))
  const kept = known.filter(
    (member) =>
      connected.includes(member) ||
      staying.length < confirmations ||
      staying.some((other) => durable(other) < durable(member)),
  )
  return [...kept, ...connected.filter((member) => !known.includes(member))]
}
