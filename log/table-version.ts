/**
 * A version of a table by the ids that messages of the log name it with, in whatever catalog it is or was. Tables keep
 * all their versions when they are dropped, so every message of the log decodes with the schema of its own LSN.
 */
import { ReplogError } from '../core/errors.js'
import { decodeTableMessage } from './codec/definition-codec.js'
import type { TableMessage } from './codec/message.js'
import { DictionaryListing } from './dictionary-listing.js'
import { SnapshotView } from './read-view.js'
import type { ReplicatedState } from './replicated-state.js'

export interface FoundTableVersion {
  readonly message: TableMessage
  /** The message as it is stored. */
  readonly bytes: Buffer
  /** The name that its schema has now; undefined when the schema is gone. */
  readonly schema: string | undefined
}

/** @throws ReplogError NOT_FOUND */
export function findTableVersion(state: ReplicatedState, tableId: number, version: number): FoundTableVersion {
  const snapshot = state.openSnapshot()
  try {
    const view = new SnapshotView(state, snapshot)
    const bytes = new DictionaryListing(state.dictionary, view).versionBytes(tableId, version)
    if (bytes === undefined) {
      throw new ReplogError(
        'NOT_FOUND',
        `there is no version ${version} of table ${tableId} here; a server that has its log has it, too`,
      )
    }
    const message = decodeTableMessage(bytes)
    const schema = state.dictionary.schemaById((key, text) => view.get(key, text), message.schemaId)
    return { message, bytes, schema: schema?.name }
  } finally {
    state.versions.close(snapshot)
  }
}
