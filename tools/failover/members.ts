/**
 * Which replicas are members of the cluster from now on, and how many of them have what was confirmed: pure, so that the
 * invariants can be tested on any course of events.
 *
 * Invariants:
 * - whatever k members have confirmed, k members (of those that there are then) still have; so of n members any
 *   n − k + 1 have one of them among them;
 * - k of the record is never more than the members that have what was confirmed, also while what was confirmed by fewer,
 *   before the server was told to wait for more, is not everywhere yet.
 */
export interface MembersInput {
  /** In the record now. */
  readonly known: readonly string[]
  readonly connected: readonly string[]
  /** LSN up to which a member may have confirmed. */
  readonly durable: (serverId: string) => bigint
  /** How many confirm a commit, at least; the higher number while it changes. */
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

export interface ConfirmationsInput {
  /** In the record now; so many members have what was confirmed up to now. */
  readonly before: number
  /** From now on so many confirm, or `before`, whichever is more. */
  readonly asked: number
  /** What was confirmed by fewer than `asked` is not above this. */
  readonly lsn: bigint
  /** LSNs that members have for certain, one of each. */
  readonly reached: readonly bigint[]
}

/** How many members have what is confirmed, as the record may say it: fewer at once, more when that has become true. */
export function confirmationsAfter({ before, asked, lsn, reached }: ConfirmationsInput): number {
  if (asked <= before) return asked
  return reached.filter((one) => one >= lsn).length >= asked ? asked : before
}
