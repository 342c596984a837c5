/**
 * The durable note that a repair of a store is under way: while it is there the store is not served.
 *
 * Invariant: it is written before the first change of a repair, and not before. A repair that cannot do anything leaves the store
 * as it was, which may be damaged and still serve.
 */
import { ReplogError } from '../../core/errors.js'
import { metaKey } from '../../store/keys.js'
import type { CommitGroup, Store } from '../../store/store.js'
import { WriteSet } from '../../store/write-set.js'

/** There while a repair is under way. */
export const REPAIR_META = metaKey('repair')

/** @throws ReplogError CORRUPT when a repair of this store was interrupted */
export function assertNoRepair(store: Store, path: string): void {
  if (store.get(REPAIR_META) === undefined) return
  throw new ReplogError(
    'CORRUPT',
    `a repair of ${path} was interrupted; run \`replog repair --data ${path} --from URL\` again, or clone this server anew`,
  )
}

/** All that a repair writes goes through here. */
export class RepairCommits {
  readonly #store: Store
  readonly #from: string
  readonly isDry: boolean
  #noted = false

  constructor(store: Store, from: string, isDry: boolean) {
    this.#store = store
    this.#from = from
    this.isDry = isDry
  }

  /** Nothing in a dry run. */
  async commit(writes: WriteSet | CommitGroup): Promise<void> {
    if (this.isDry) return
    if (!this.#noted) {
      await this.#store.commit([putOne(REPAIR_META, Buffer.from(this.#from))])
      this.#noted = true
    }
    await this.#store.commit(writes instanceof WriteSet ? [writes] : writes)
  }

  async put(key: Buffer, payload: Buffer): Promise<void> {
    await this.commit(putOne(key, payload))
  }

  /** The repair is done, and so is one that was interrupted before. */
  async end(): Promise<void> {
    if (this.isDry) return
    const writes = new WriteSet()
    writes.delete(REPAIR_META)
    await this.#store.commit([writes])
  }
}

function putOne(key: Buffer, payload: Buffer): WriteSet {
  const writes = new WriteSet()
  writes.put(key, payload)
  return writes
}
