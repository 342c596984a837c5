/** Rows of one storage for a peer that mends its own: a page of exactly one LSN, with the statistics of that LSN. */
import { ReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { keyAfter, keyBytes, keyText, prefixRange, rowPrefix } from '../../store/keys.js'
import { assertRangeEnd, assertRowKeyOf } from './row-key.js'
import type { ReplicatedState } from '../replicated-state.js'
import { TableStats } from '../table-stats.js'
import type { PeerRows } from './repair-peer.js'

/**
 * @param from where the page begins; the first row when left out
 * @param end before which key it ends at the latest; then it may have twice as many rows, to hold what others have in one
 * @throws ReplogError NOT_FOUND when the table has no rows in this storage any more; FILTERED, SNAPSHOT_TOO_OLD, CORRUPT
 */
export async function peerRows(
  state: ReplicatedState,
  tableId: number,
  storageId: number,
  from: Buffer | undefined,
  end?: Buffer,
): Promise<PeerRows> {
  state.assertOpen()
  const range = prefixRange(rowPrefix(storageId))
  if (from !== undefined) assertRowKeyOf(from, storageId)
  if (end !== undefined) assertRangeEnd(end, range.to, storageId)
  const to = end ?? range.to
  const share = end === undefined ? 1 : 2
  const table = state.dictionary.tableById(state.readDurable, tableId)
  if (table?.storageId !== storageId) {
    throw new ReplogError('NOT_FOUND', `table ${tableId} has no rows in storage ${storageId} on this server`)
  }
  state.filter?.requireHeld(storageId, table.message.name)
  const snapshot = state.openSnapshot()
  try {
    // In the step that opened the snapshot: both are of the durable LSN.
    const statistics = state.statistics.durableTable(storageId).encode()
    const { entries, exhausted } = await state.store.page(
      { from: from ?? range.from, to },
      { entriesMax: SCAN_PAGE_ROWS_MAX * share, bytesMax: SCAN_PAGE_BYTES_MAX * share, reverse: false },
    )
    const next = exhausted ? undefined : keyAfter(entries.at(-1)!.key)
    const texts = { from: keyText(Buffer.from(from ?? range.from)), to: keyText(Buffer.from(next ?? to)) }
    const rows = new Map(entries.map(({ key, value }) => [keyText(key), value]))
    for (const [text, value] of state.versions.changedIn(texts, snapshot)) {
      if (value === undefined) rows.delete(text)
      else rows.set(text, value)
    }
    const sorted = [...rows].map(([text, payload]) => ({ key: keyBytes(text), payload }))
    sorted.sort((one, other) => Buffer.compare(one.key, other.key))
    return { lsn: snapshot.lsn, rows: sorted, next, statistics }
  } finally {
    state.versions.close(snapshot)
  }
}

export interface RangeDigest {
  readonly lsn: Lsn
  readonly rows: number
  readonly digest: string
  readonly next: Buffer | undefined
}

/** Count and digest of the rows of such a page, as the statistics of a table add them up. @throws as `peerRows` */
export async function rangeDigest(...range: Parameters<typeof peerRows>): Promise<RangeDigest> {
  const { lsn, rows, next } = await peerRows(...range)
  const sum = new TableStats()
  for (const { key, payload } of rows) sum.count(key, payload, 1)
  return { lsn, rows: sum.rows, digest: sum.digest, next }
}
