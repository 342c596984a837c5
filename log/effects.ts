/** What a transaction does to the store: operations, and what the derived counters need to know. */
import { WriteSet } from '../store/write-set.js'
import { BuildingEntries } from './building-entries.js'
import type { DefinitionStatement } from './codec/message.js'

/** Everything a transaction does to the store, beside its log frames and the derived counters. */
export class Effects {
  readonly writes = new WriteSet()
  /** Highest AUTO_INCREMENT value that appeared, by storage. */
  autoIncrement: Map<number, bigint> | undefined
  /** Entries of unique indexes that are being built; they become writes when the transaction has its place in the log. */
  building: BuildingEntries | undefined
  /** The definition statements, in order; undefined when there are none. */
  definitions: DefinitionStatement[] | undefined

  /** Where changes of entries of a unique index that is being built go. */
  get buildingEntries(): BuildingEntries {
    this.building ??= new BuildingEntries()
    return this.building
  }

  /** As a new one. */
  clear(): void {
    this.writes.clear()
    this.autoIncrement = undefined
    this.building = undefined
    this.definitions = undefined
  }

  noteAutoIncrement(storageId: number, value: bigint): void {
    this.autoIncrement ??= new Map()
    const highest = this.autoIncrement.get(storageId)
    if (highest === undefined || value > highest) this.autoIncrement.set(storageId, value)
  }
}
