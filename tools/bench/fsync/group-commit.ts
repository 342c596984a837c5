/**
 * Group commit: items that arrive while one write is in the device share the next one.
 *
 *   enter ──> open group (filled at once) ──> one write in flight ──> done
 *        └──> waiting line, when the group is full: urgent ones first, each kind in its order
 *
 * With `itemsMax` 1 it is no group commit at all, but a fair queue in front of the device: the ungrouped modes are the
 * same code with this number.
 *
 * Invariants
 * - one write is in flight; items of one urgency are written in the order in which they entered;
 * - `done` is called once per item, after its write returned and never before `enter` does;
 * - after a failed write, or a group that cannot be begun, nothing is written any more, and everybody who waits hears of that failure.
 */
import assert from 'node:assert/strict'

export interface GroupTarget<Item, Group> {
  begin(): Group
  add(group: Group, item: Item): void
  /** Resolves when the group is durable. */
  write(group: Group): Promise<void>
  /** Drops a group that was not written. */
  discard(group: Group): Promise<void>
}

/** Without an error, the item is durable. */
export type Done = (error: Error | undefined) => void

interface Entered<Item> {
  readonly item: Item
  readonly done: Done
}

interface OpenGroup<Group> {
  readonly group: Group
  readonly waiters: Done[]
}

export class GroupCommit<Item, Group> {
  readonly #target: GroupTarget<Item, Group>
  readonly #itemsMax: number
  #open: OpenGroup<Group> | undefined
  #inFlight = false
  #scheduled = false
  #failure: { readonly error: Error } | undefined
  #urgent: Entered<Item>[] = []
  #ordinary: Entered<Item>[] = []

  constructor(target: GroupTarget<Item, Group>, itemsMax: number) {
    this.#target = target
    this.#itemsMax = itemsMax
  }

  /** @param urgent whether it goes before those that wait for room; not before those that are in a group */
  enter(item: Item, done: Done, urgent = false): void {
    if (this.#failure !== undefined) {
      const { error } = this.#failure
      queueMicrotask(() => {
        done(error)
      })
      return
    }
    const line = urgent ? this.#urgent : this.#ordinary
    const isLineEmpty = this.#urgent.length === 0 && (urgent || this.#ordinary.length === 0)
    if (isLineEmpty && this.#hasRoom) this.#add({ item, done })
    else line.push({ item, done })
    this.#schedule()
  }

  /** Refuses those that wait for room. What is in a group is written. */
  cancelWaiting(error: Error): void {
    const cancelled = this.#ordinary
    this.#ordinary = []
    for (const { done } of cancelled) done(error)
  }

  get #hasRoom(): boolean {
    return this.#open === undefined || this.#open.waiters.length < this.#itemsMax
  }

  #add({ item, done }: Entered<Item>): void {
    try {
      this.#open ??= { group: this.#target.begin(), waiters: [] }
      this.#target.add(this.#open.group, item)
      this.#open.waiters.push(done)
    } catch (error) {
      assert(error instanceof Error, 'what is thrown is an error')
      this.#fail(error, [done])
    }
  }

  /** In a microtask, so that those who enter in one turn share the write. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const open = this.#open
    if (this.#inFlight || open === undefined || this.#failure !== undefined) return
    this.#open = undefined
    this.#inFlight = true
    this.#target.write(open.group).then(
      () => {
        this.#inFlight = false
        // The device is kept busy first; those who are told now share the write after the next.
        this.#flush()
        for (const done of open.waiters) done(undefined)
      },
      (error: unknown) => {
        this.#inFlight = false
        assert(error instanceof Error, 'what is thrown is an error')
        this.#fail(error, open.waiters)
      },
    )
    this.#fill()
  }

  /** Moves those who wait into the open group while it has room. */
  #fill(): void {
    for (const line of [this.#urgent, this.#ordinary]) {
      while (line.length > 0 && this.#hasRoom && this.#failure === undefined) this.#add(line.shift()!)
    }
  }

  #fail(error: Error, waiters: readonly Done[]): void {
    this.#failure = { error }
    const open = this.#open
    const waiting = [...this.#urgent, ...this.#ordinary]
    this.#open = undefined
    this.#urgent = []
    this.#ordinary = []
    if (open !== undefined) void this.#target.discard(open.group).catch(() => undefined)
    // Never before `enter` returns.
    queueMicrotask(() => {
      for (const done of waiters) done(error)
      for (const done of open?.waiters ?? []) done(error)
      for (const { done } of waiting) done(error)
    })
  }
}
