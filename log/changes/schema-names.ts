/**
 * What the schemas of a catalog are called for one stream.
 *
 * Of what was committed before the stream was begun, a schema has the name that it had when the stream was begun: a row of
 * the log names its table's version, which has no name of the schema. From there on each has the name that it has at the
 * place of the log. A schema that was gone by then has the name that it had at the place of the log: that stands in the
 * statement that renamed or dropped it, which is behind where the reader is, and is looked for there.
 *
 * Invariant: what a schema is called at a place of the log does not depend on when the stream reads that place.
 */
import { ReplogError } from '../../core/errors.js'
import { CHANGE_CHUNK_BYTES_TARGET } from '../../core/limits.js'
import { type Lsn, LSN_MAX, LSN_ZERO, type Position } from '../../core/position.js'
import { schemaPrefix } from '../../store/keys.js'
import { decodeSchemaMessage } from '../codec/definition-codec.js'
import type { Statement } from '../codec/message.js'
import type { ReplicatedState } from '../replicated-state.js'
import { entriesOf } from '../view-entries.js'
import { atSnapshot } from './at-snapshot.js'
import { TransactionReader } from './transaction-reader.js'

export class SchemaNames {
  readonly #state: ReplicatedState
  readonly #names = new Map<number, string>()
  /** Schemas that were there when the stream was begun, and the LSN at which they were. */
  #present: ReadonlySet<number> = new Set()
  #asOf: Lsn = LSN_ZERO

  constructor(state: ReplicatedState) {
    this.#state = state
  }

  /** Learns the names that are valid now. @throws ReplogError CLOSED */
  async load(catalogId: number): Promise<void> {
    const names = await atSnapshot(this.#state, async (view) => {
      const found = new Map<number, string>()
      for await (const { value } of entriesOf(view, schemaPrefix(catalogId))) {
        const { id, name } = decodeSchemaMessage(value)
        found.set(id, name)
      }
      this.#asOf = view.lsn
      return found
    })
    this.#present = new Set(names.keys())
    for (const [id, name] of names) this.#names.set(id, name)
  }

  /** Undefined when the schema is gone and was not looked for yet. */
  find(schemaId: number): string | undefined {
    return this.#names.get(schemaId)
  }

  /** Notes what a statement that is passed in the log calls a schema. */
  note(statement: Statement, lsn: Lsn): void {
    if (statement.kind !== 'createSchema' && statement.kind !== 'alterSchema') return
    const { id, name } = statement.after
    if (lsn > this.#asOf || !this.#present.has(id)) this.#names.set(id, name)
  }

  /**
   * Reads on from a place of the log until all these schemas of the catalog were met.
   * @throws ReplogError CORRUPT, HISTORY_LOST, CLOSED; the signal's reason
   */
  async lookAhead(
    catalogId: number,
    schemaIds: ReadonlySet<number>,
    after: Position,
    signal: AbortSignal,
  ): Promise<void> {
    const missing = new Set(schemaIds)
    const reader = new TransactionReader(this.#state, after)
    while (missing.size > 0) {
      if (reader.next(LSN_MAX)) {
        if (reader.catalogId !== catalogId) continue
        for (const statement of reader.decode().statements) {
          if (statement.kind !== 'alterSchema' && statement.kind !== 'dropSchema') continue
          const { id, name } = statement.before
          if (missing.delete(id)) this.#names.set(id, name)
        }
      } else if (reader.atHead) break
      else {
        // The rest of the log may be long, and who asked for it may have gone.
        signal.throwIfAborted()
        await reader.read(CHANGE_CHUNK_BYTES_TARGET)
      }
    }
    if (missing.size === 0) return
    throw new ReplogError(
      'CORRUPT',
      `schema ${[...missing].join(', ')} is neither in the dictionary nor dropped in the log; run \`replog verify\``,
    )
  }
}
