/**
 * What a change concerns: its keys, its table, or everything. It decides what the change may overtake.
 *
 * The first row that is told in another version of its table than the one before is alone with the table, as the
 * definition event is which a filter may have left out: a change of the primary key gives the rows other keys.
 */
import type { DefinitionEvent, RowEvent, SnapshotEnd, SnapshotRow } from '../../log/changes/change.js'
import { keyText } from '../../store/keys.js'
import type { Dispatch } from './dispatch.js'

/** A change of a row or of a definition, a row that was there before, or the end of those. */
export type SubscriptionChange = RowEvent | DefinitionEvent | SnapshotRow | SnapshotEnd

/** What a change takes beside its values, in bytes, about; what a value of a fixed size takes; and a definition. */
const CHANGE_BYTES = 400
const VALUE_BYTES = 24
const DEFINITION_BYTES = 4096

export class ChangeDispatches {
  readonly #versions = new Map<number, number>()

  of(change: SubscriptionChange): Dispatch<SubscriptionChange> {
    const { token } = change
    if (change.type === 'snapshotEnd') {
      return { item: change, token, bytes: CHANGE_BYTES, keys: [], tableId: undefined, barrier: 'all' }
    }
    if (change.type === 'definition') {
      const { before, after } = change
      const tableId = change.table === undefined ? undefined : (after ?? before)!.id
      const barrier = tableId === undefined ? 'all' : 'table'
      return { item: change, token, bytes: CHANGE_BYTES + DEFINITION_BYTES, keys: [], tableId, barrier }
    }
    const { tableId, tableVersion } = change
    const before = this.#versions.get(tableId)
    if (before !== tableVersion) this.#versions.set(tableId, tableVersion)
    const barrier = before === undefined || before === tableVersion ? 'none' : 'table'
    return { item: change, token, bytes: bytesOf(change), keys: keysOf(change), tableId, barrier }
  }
}

function keysOf(change: RowEvent | SnapshotRow): string[] {
  const key = keyText(change.keyBytes)
  if (change.type !== 'update') return [key]
  const newKey = keyText(change.newKeyBytes)
  return key === newKey ? [key] : [key, newKey]
}

function bytesOf(change: RowEvent | SnapshotRow): number {
  const before = 'before' in change ? change.before : undefined
  return CHANGE_BYTES + rowBytes(before) + rowBytes(change.after)
}

function rowBytes(row: Readonly<Record<string, unknown>> | undefined): number {
  let bytes = 0
  for (const value of Object.values(row ?? {})) bytes += valueBytes(value)
  return bytes
}

/** Of JSON values the text: what they take is a multiple of it, and about the same for all. */
function valueBytes(value: unknown): number {
  if (typeof value === 'string') return VALUE_BYTES + value.length
  if (value instanceof Uint8Array) return VALUE_BYTES + value.length
  if (typeof value === 'object' && value !== null) return VALUE_BYTES + JSON.stringify(value).length
  return VALUE_BYTES
}
