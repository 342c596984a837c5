/**
 * The ids that the next catalog, schema and table (or its new storage) get. An id that a committed transaction used is never used again,
 * not even after a crash or on a promoted replica, because the counters are a fold of the log.
 *
 *   ids := next-catalog-id(u32 BE) next-schema-id(u32 BE) next-table-id(u32 BE)
 */
import { ReplogError } from '../core/errors.js'
import { metaKey } from '../store/keys.js'
import type { DefinitionStatement } from './codec/message.js'

export const IDS_META = metaKey('ids')

export type IdKind = 'catalog' | 'schema' | 'table'
const KINDS: readonly IdKind[] = ['catalog', 'schema', 'table']
const ID_MAX = 0xffff_ffff

type Counters = Record<IdKind, number>

export class IdCounters {
  /** Above every id in the log up to the head. */
  readonly #used: Counters
  /** Above every id handed out, rolled-back transactions included. */
  readonly #allocated: Counters

  constructor(next: Counters = { catalog: 1, schema: 1, table: 1 }) {
    this.#used = { ...next }
    this.#allocated = { ...next }
  }

  /** A new id. @throws ReplogError LIMIT after 4294967295 of them */
  allocate(kind: IdKind): number {
    const id = this.#allocated[kind]
    if (id > ID_MAX) throw new ReplogError('LIMIT', `all ${kind} ids are used up`)
    this.#allocated[kind] = id + 1
    return id
  }

  /** Steps over the ids that a transaction in the log uses. */
  noteUsed(definitions: readonly DefinitionStatement[]): void {
    for (const definition of definitions) {
      switch (definition.kind) {
        case 'createCatalog':
          this.#note('catalog', definition.after.id)
          break
        case 'createSchema':
          this.#note('schema', definition.after.id)
          break
        case 'createTable':
          this.#note('table', definition.after.id)
          break
        case 'alterTable':
        case 'truncateTable':
          this.#note('table', definition.after.storageId)
          break
        case 'renameTables':
        case 'createIndex':
        case 'dropIndex':
        case 'alterSchema':
        case 'dropSchema':
        case 'alterCatalog':
        case 'dropTable':
        case 'dropCatalog':
        case 'newEpoch':
          break
      }
    }
  }

  #note(kind: IdKind, id: number): void {
    this.#used[kind] = Math.max(this.#used[kind], id + 1)
    this.#allocated[kind] = Math.max(this.#allocated[kind], id + 1)
  }

  encodeUsed(): Buffer {
    const bytes = Buffer.allocUnsafe(12)
    // A counter that ran past the last id is stored as 0 and read back as one past it.
    KINDS.forEach((kind, ordinal) => bytes.writeUInt32BE(this.#used[kind] > ID_MAX ? 0 : this.#used[kind], ordinal * 4))
    return bytes
  }

  static decode(payload: Buffer): IdCounters {
    if (payload.length !== 12) throw new ReplogError('CORRUPT', 'the id counters have a wrong length')
    const read = (ordinal: number): number => payload.readUInt32BE(ordinal * 4) || ID_MAX + 1
    return new IdCounters({ catalog: read(0), schema: read(1), table: read(2) })
  }
}
