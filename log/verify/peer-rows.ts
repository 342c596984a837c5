/** Rows of one storage for a peer that mends its own: a page of exactly one LSN, with the statistics of that LSN. */
import { ReplogError } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { keyAfter, keyBytes, keyText, prefixRange, rowPrefix } from '../../store/keys.js'
import { assertRowKeyOf } from './row-key.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { PeerRows } from './repair-peer.js'

/**
 * @param from where the page begins; the first row when left out
 * @throws ReplogError NOT_FOUND when the table has no rows in this storage any more; FILTERED, SNAPSHOT_TOO_OLD, CORRUPT
 */
export async function peerRows(
  state: ReplicatedState,
  tableId: number,
  storageId: number,
  from: Buffer | undefined,
): Promise<PeerRows> {
  state.assertOpen()
  const range = prefixRange(rowPrefix(storageId))
  if (from !== undefined) assertRowKeyOf(from, storageId)
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
      { from: from ?? range.from, to: range.to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    const next = exhausted ? undefined : keyAfter(entries.at(-1)!.key)
    const texts = { from: keyText(Buffer.from(from ?? range.from)), to: keyText(Buffer.from(next ?? range.to)) }
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
