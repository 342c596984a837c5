/**
 * The statistics of all tables and catalogs at one position, read while transactions go on.
 *
 *   begin to listen ──> page through the stored statistics ──> wait until what was read is durable ──> take the position
 *
 * What changed since the pages were read was heard of, because a group tells its statistics when it is durable. So at the
 * end, in one step, what was heard above what was read is what they are at the durable position.
 */
import { SNAPSHOT_PAGE_BYTES_TARGET, SNAPSHOT_PAGE_ENTRIES_MAX } from '../../core/limits.js'
import type { Position } from '../../core/position.js'
import type { Entry } from '../../store/engine.js'
import {
  CATALOG_STATS_PREFIX,
  STATS_PREFIX,
  catalogStatsKey,
  keyBytes,
  keyText,
  prefixRange,
  statsKey,
} from '../../store/keys.js'
import type { ReplicatedState } from '../replicated-state.js'

export interface CountersAtEnd {
  readonly position: Position
  readonly logBytes: bigint
  /** Keys and payloads. Those of storages that nobody has any more may be among them. */
  readonly entries: readonly Entry[]
}

/** @throws ReplogError CORRUPT, CLOSED, STORE_FAILED */
export async function countersAtEnd(state: ReplicatedState): Promise<CountersAtEnd> {
  const values = new Map<string, Buffer>()
  const heard = new Map<string, Buffer>()
  const stop = state.statistics.hear(({ tables, catalogs }) => {
    for (const [id, payload] of tables) heard.set(keyText(statsKey(id)), payload)
    for (const [id, payload] of catalogs) heard.set(keyText(catalogStatsKey(id)), payload)
  })
  try {
    for (const prefix of [CATALOG_STATS_PREFIX, STATS_PREFIX]) {
      const { from, to } = prefixRange(Buffer.of(prefix))
      for (let next = from; ;) {
        const page = await state.store.page(
          { from: next, to },
          { entriesMax: SNAPSHOT_PAGE_ENTRIES_MAX, bytesMax: SNAPSHOT_PAGE_BYTES_TARGET, reverse: false },
        )
        for (const { key, value } of page.entries) values.set(keyText(key), value)
        if (page.exhausted) break
        next = Buffer.concat([page.entries.at(-1)!.key, Buffer.of(0)])
      }
    }
    // A page may hold what a group in flight has written; when that is durable it was heard of, too. (G2)
    await state.whenDurable(state.head.lsn)
    for (const [text, payload] of heard) values.set(text, payload)
    const entries = [...values].map(([text, value]) => ({ key: keyBytes(text), value }))
    return { position: state.durable, logBytes: state.logBytes, entries }
  } finally {
    stop()
  }
}
