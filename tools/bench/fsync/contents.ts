/**
 * What a mode's store holds for the benchmark's table, read back entry by entry: counts, and a digest over keys and
 * sealed values in key order, so that two modes that committed the same transactions can be held against each other.
 */
import { createHash } from 'node:crypto'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../../core/limits.js'
import type { CompiledTable } from '../../../ddl/compiled-table.js'
import type { Engine, Entry, KeyRange } from '../../../store/engine.js'
import { prefixRange } from '../../../store/keys.js'
import { unseal } from '../../../store/seal.js'

export interface EngineContents {
  readonly rows: number
  readonly indexEntries: number
  /** SHA-256 over rows and index entries, keys and values. */
  readonly digest: string
}

/** @throws ReplogError CORRUPT where a value fails its seal */
export async function engineContents(engine: Engine, table: CompiledTable): Promise<EngineContents> {
  const hash = createHash('sha256')
  const count = async (prefix: Buffer): Promise<number> => {
    let entries = 0
    for await (const { key, value } of entriesOf(engine, prefixRange(prefix))) {
      unseal(key, value)
      hash.update(key).update(value)
      entries++
    }
    return entries
  }
  const rows = await count(table.rowPrefix)
  let indexEntries = 0
  for (const index of table.indexes) indexEntries += await count(index.prefix)
  return { rows, indexEntries, digest: hash.digest('hex') }
}

/** All entries of a range, by short pages. */
export async function* entriesOf(engine: Engine, range: KeyRange): AsyncGenerator<Entry> {
  let { from } = range
  for (;;) {
    const { entries, exhausted } = await engine.page(
      { from, to: range.to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    yield* entries
    const last = entries.at(-1)
    if (exhausted || last === undefined) return
    from = successorOf(last.key)
  }
}

/** The least key behind this one. */
function successorOf(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)])
}
