/**
 * What the schemas are called whose tables a stream tells of: their names now or, of those that are gone, their last.
 *
 * Whoever reads an old part of the log meets tables of schemas that were dropped since. How such a one was called stands
 * in the log as well, in the statement that dropped it, which is behind where the reader is: it is looked for there.
 */
import { ReplogError } from '../../core/errors.js'
import { LINK_CHUNK_BYTES_TARGET } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import type { Statement } from '../codec/message.js'
import { LogCursor } from '../log-cursor.js'
import type { ReplicatedState } from '../replicated-state.js'
import { wholeTransactions } from './whole-transactions.js'

export class SchemaNames {
  readonly #state: ReplicatedState
  /** Of schemas that are gone. */
  readonly #gone = new Map<number, string>()

  constructor(state: ReplicatedState) {
    this.#state = state
  }

  /** Undefined when the schema is gone and was not looked for yet. */
  find(schemaId: number): string | undefined {
    const { dictionary, readDurable } = this.#state
    return dictionary.schemaById(readDurable, schemaId)?.name ?? this.#gone.get(schemaId)
  }

  /** Notes the names of the schemas that a statement ends. */
  note(statement: Statement): void {
    if (statement.kind === 'dropSchema') this.#gone.set(statement.before.id, statement.before.name)
  }

  /** Reads on from a place of the log until all these schemas were met. @throws ReplogError CORRUPT, HISTORY_LOST */
  async lookAhead(schemaIds: ReadonlySet<number>, after: Lsn): Promise<void> {
    const isFound = (): boolean => [...schemaIds].every((id) => this.find(id) !== undefined)
    const cursor = new LogCursor(this.#state, after)
    const begun: Buffer[] = []
    while (!isFound() && !cursor.atHead) {
      const { bytes } = await cursor.read(LINK_CHUNK_BYTES_TARGET)
      for (const whole of wholeTransactions(bytes, begun)) {
        for (const statement of whole.decode().statements) this.note(statement)
      }
    }
    if (isFound()) return
    const missing = [...schemaIds].filter((id) => this.find(id) === undefined)
    throw new ReplogError(
      'CORRUPT',
      `schema ${missing.join(', ')} is neither in the dictionary nor dropped in the log; run \`replog verify\``,
    )
  }
}
