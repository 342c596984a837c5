/** What row locks are, as plainly as it can be said: a line of owners for each key, of which the first one holds it. */

export interface ModelOwner {
  readonly name: string
  readonly priority: number
}

export class LockModel {
  deadlocks = 0
  timeouts = 0
  readonly #lines = new Map<string, ModelOwner[]>()
  readonly #deadlines = new Map<ModelOwner, number>()
  /** What the last request of each owner that is not waiting came to. */
  readonly #told = new Map<ModelOwner, string>()

  acquire(owner: ModelOwner, key: string, deadlineMs: number): void {
    const line = this.#lines.get(key) ?? []
    this.#lines.set(key, line)
    this.#told.delete(owner)
    if (line[0] !== owner) {
      line.push(owner)
      if (line[0] !== owner) this.#deadlines.set(owner, deadlineMs)
    }
    const circle = this.#circleFrom(owner)
    if (circle.length > 0) {
      const victim = circle.toSorted((left, right) => right.priority - left.priority)[0]!
      this.deadlocks++
      this.#leaveAll(victim)
      this.#told.set(victim, 'DEADLOCK')
    }
    this.#noteGranted()
  }

  release(owner: ModelOwner): void {
    if (this.#leaveAll(owner)) this.#told.set(owner, 'NO_TRANSACTION')
    this.#noteGranted()
  }

  timeOut(nowMs: number): void {
    for (const [owner, deadlineMs] of this.#deadlines) {
      if (deadlineMs > nowMs) continue
      for (const line of this.#lines.values()) {
        const place = line.indexOf(owner)
        if (place > 0) line.splice(place, 1)
      }
      this.#deadlines.delete(owner)
      this.#told.set(owner, 'LOCK_TIMEOUT')
      this.timeouts++
    }
  }

  isWaiting(owner: ModelOwner): boolean {
    return this.#deadlines.has(owner)
  }

  get waiting(): number {
    return this.#deadlines.size
  }

  holderOf(key: string): ModelOwner | undefined {
    return this.#lines.get(key)?.[0]
  }

  toldOf(owner: ModelOwner): string | undefined {
    return this.#told.get(owner)
  }

  get lockedKeys(): number {
    return [...this.#lines.values()].filter((line) => line.length > 0).length
  }

  /** Everybody who stands first in a line holds its lock, and so waits no more. */
  #noteGranted(): void {
    for (const line of this.#lines.values()) {
      const [holder] = line
      if (holder === undefined) continue
      const isWaitingElsewhere = [...this.#lines.values()].some((other) => other.indexOf(holder) > 0)
      if (isWaitingElsewhere) continue
      this.#deadlines.delete(holder)
      if (!this.#told.has(holder)) this.#told.set(holder, 'resolved')
    }
  }

  /** @returns whether the owner was waiting */
  #leaveAll(owner: ModelOwner): boolean {
    for (const [key, line] of this.#lines) {
      this.#lines.set(
        key,
        line.filter((other) => other !== owner),
      )
    }
    return this.#deadlines.delete(owner)
  }

  /** Everybody who waits, through any number of others, for itself: with `owner` among them. */
  #circleFrom(owner: ModelOwner): ModelOwner[] {
    const reached: ModelOwner[] = []
    for (let next: ModelOwner | undefined = owner; next !== undefined;) {
      if (reached.includes(next)) return next === owner ? reached : []
      reached.push(next)
      const waits: ModelOwner = next
      next = [...this.#lines.values()].find((line) => line.indexOf(waits) > 0)?.[0]
    }
    return []
  }
}
