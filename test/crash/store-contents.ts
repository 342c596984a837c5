/** Everything that a store holds, by kind of key. Every key has a known form and a value whose seal holds. */
import { messageOf } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import { type Frame, readWholeFrame } from '../../log/codec/frame.js'
import type { Engine } from '../../store/engine.js'
import {
  CATALOG_STATS_PREFIX,
  DICTIONARY_PREFIX,
  IDEMPOTENCY_PREFIX,
  INDEX_PREFIX,
  JOB_PREFIX,
  LOG_PREFIX,
  META_PREFIX,
  ROW_PREFIX,
  STATS_PREFIX,
  describeKey,
  keyText,
  parseLogKey,
} from '../../store/keys.js'
import { unseal } from '../../store/seal.js'

/** Payloads by the text of their key; in key order where they come from a store. */
export type Image = Map<string, Buffer>

export interface StoreContents {
  readonly meta: Image
  readonly dictionary: Image
  readonly stats: Image
  readonly rows: Image
  readonly entries: Image
  readonly jobs: Image
  readonly catalogStats: Image
  readonly outcomes: Image
  readonly log: { readonly lsn: Lsn; readonly segment: number; readonly frame: Frame }[]
}

const PROBLEMS_MAX = 20

/** What is wrong, a sentence each; at most `PROBLEMS_MAX`, then "… and more". */
export class Problems {
  readonly list: string[] = []

  add(problem: string): void {
    if (this.list.length < PROBLEMS_MAX) this.list.push(problem)
    else if (this.list.length === PROBLEMS_MAX) this.list.push('… and more')
  }
}

/** Reads all of a store that nobody writes to meanwhile. */
export async function sweep(engine: Engine, problems: Problems): Promise<StoreContents> {
  const contents: StoreContents = {
    meta: new Map(),
    dictionary: new Map(),
    stats: new Map(),
    rows: new Map(),
    entries: new Map(),
    jobs: new Map(),
    catalogStats: new Map(),
    outcomes: new Map(),
    log: [],
  }
  const images = new Map<number, Image>([
    [META_PREFIX, contents.meta],
    [DICTIONARY_PREFIX, contents.dictionary],
    [STATS_PREFIX, contents.stats],
    [ROW_PREFIX, contents.rows],
    [INDEX_PREFIX, contents.entries],
    [JOB_PREFIX, contents.jobs],
    [CATALOG_STATS_PREFIX, contents.catalogStats],
    [IDEMPOTENCY_PREFIX, contents.outcomes],
  ])
  let from: Uint8Array = Buffer.of(0)
  for (;;) {
    const { entries, exhausted } = await engine.page(
      { from, to: Buffer.of(0xff, 0xff) },
      { entriesMax: 4096, bytesMax: 4 * 1024 * 1024, reverse: false },
    )
    for (const { key, value } of entries) {
      try {
        const image = images.get(key[0]!)
        if (key[0] === LOG_PREFIX) contents.log.push({ ...parseLogKey(key), frame: readWholeFrame(value) })
        else if (image === undefined) problems.add(`${describeKey(key)} is of no known kind`)
        else image.set(keyText(key), unseal(key, value))
      } catch (error) {
        problems.add(`${describeKey(key)}: ${messageOf(error)}`)
      }
    }
    if (exhausted) return contents
    from = Buffer.concat([entries.at(-1)!.key, Buffer.of(0)])
  }
}
