/** Change streams in tests: reading one to the end of the log, and showing changes so that they can be compared. */
import type { CatalogReader } from '../../log/catalog-reader.js'
import type { Change, RowOrDefinition } from '../../log/changes/change.js'
import type { ChangeOptions } from '../../log/changes/change-source.js'

/** All changes up to where the log ends now. */
export async function changesOf(db: CatalogReader, options: ChangeOptions = {}): Promise<Change[]> {
  const changes: Change[] = []
  for await (const change of db.changes({ follow: false, ...options })) changes.push(change)
  return changes
}

/** Everything that a change says, as text. */
export function shown(change: Change): string {
  const { type, token, lsn } = change
  switch (type) {
    case 'transaction':
      return json({ type, token, lsn, changes: change.changes.map(shown), annotations: change.annotations })
    case 'snapshot': {
      const { table, tableId, tableVersion, after } = change
      return json({ type, token, lsn, table, tableId, tableVersion, after, key: change.keyBytes.toString('hex') })
    }
    case 'snapshotEnd':
    case 'heartbeat':
      return json({ type, token, lsn })
    default:
      return shownChange(change)
  }
}

function shownChange(change: RowOrDefinition): string {
  const { type, token, lsn, table, before, after, ordinal } = change
  const { commitTimestampUs, count, serverId } = change.transaction
  const told = { type, token, lsn, table, before, after, ordinal, commitTimestampUs, count, serverId }
  if (change.type === 'definition') return json({ ...told, statement: change.statement })
  const { tableId, tableVersion, key, keyBytes, newKeyBytes } = change
  return json({ ...told, tableId, tableVersion, key, keys: [keyBytes.toString('hex'), newKeyBytes.toString('hex')] })
}

function json(value: object): string {
  return JSON.stringify(value, (_name, member: unknown) => (typeof member === 'bigint' ? `${member}n` : member))
}
