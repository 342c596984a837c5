/** What a transaction does to the store: operations, and what the derived counters need to know. */
import { WriteSet } from '../store/write-set.js'
import type { DefinitionStatement } from './codec/message.js'

/** Everything a transaction does to the store, beside its log frames and the derived counters. */
export class Effects {
  readonly writes = new WriteSet()
  /** Highest AUTO_INCREMENT value that appeared, by storage. */
  autoIncrement: Map<number, bigint> | undefined
  /** The definition statements, in order; undefined when there are none. */
  definitions: DefinitionStatement[] | undefined

  noteAutoIncrement(storageId: number, value: bigint): void {
    this.autoIncrement ??= new Map()
    const highest = this.autoIncrement.get(storageId)
    if (highest === undefined || value > highest) this.autoIncrement.set(storageId, value)
  }
}
