/**
 * Compiles table messages, sharing what tables that are alike have in common: with one table of the same definition in
 * each of many catalogs, columns, codecs and key builders exist once.
 *
 * Invariant: a table compiled with another's parts equals one compiled alone.
 */
import { decodeTableMessage } from '../log/codec/definition-codec.js'
import { outlineOf } from '../log/codec/table-outline.js'
import { CompiledTable } from './compiled-table.js'

const DEFINITIONS_MAX = 4096

export class TableCompiler {
  /** One table of each definition, oldest first. */
  readonly #byLikeness = new Map<string, CompiledTable>()

  /** @throws ReplogError CORRUPT, UNSUPPORTED_VERSION */
  compile(payload: Buffer): CompiledTable {
    const outline = outlineOf(payload)
    if (outline === undefined) return new CompiledTable(decodeTableMessage(payload))
    const { likeness, ...own } = outline
    const alike = this.#byLikeness.get(likeness)
    if (alike !== undefined) return new CompiledTable({ ...alike.message, ...own }, alike)
    const table = new CompiledTable(decodeTableMessage(payload))
    this.#byLikeness.set(likeness, table)
    if (this.#byLikeness.size > DEFINITIONS_MAX) {
      const oldest = this.#byLikeness.keys().next()
      if (oldest.done !== true) this.#byLikeness.delete(oldest.value)
    }
    return table
  }
}
