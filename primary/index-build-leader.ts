/**
 * What a primary logs about an index that is being built: that it is validated, that it is built, that it is dropped
 * because it cannot be unique. Replicas learn it from the log. (G7)
 *
 * Each runs in the lane on the newest definition. Where the index is gone or built already, nothing is logged.
 */
import { type Clock, pause } from '../core/clock.js'
import { isReplogError, messageOf } from '../core/errors.js'
import type { DefinitionStatement, IndexMessage, TableMessage } from '../log/codec/message.js'
import type { BuildLeader } from '../log/index-builder.js'
import { PURGE_CATALOG_JOB } from '../log/purge-job.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import { jobKey, keyText } from '../store/keys.js'
import type { CommitLane } from './commit-lane.js'

const REPETITION_MS = 100

export function indexBuildLeader(state: ReplicatedState, lane: CommitLane, clock: Clock): BuildLeader {
  /** `change` makes the statement from the table before and the version after, whose indexes it is to set. */
  const log = async (
    tableId: number,
    indexId: number,
    change: (before: TableMessage, after: TableMessage, index: IndexMessage) => DefinitionStatement | undefined,
  ): Promise<void> => {
    for (;;) {
      try {
        await logOnce(tableId, indexId, change)
        return
      } catch (error) {
        // The gate of the lane is closed for a while; the lane itself, when it closes, says so with another code.
        if (!isReplogError(error, 'NO_REPLICAS') && !isReplogError(error, 'NO_LEASE')) throw error
        await pause(clock, REPETITION_MS)
      }
    }
  }
  const logOnce: typeof log = async (tableId, indexId, change) => {
    const nowUs = clock.nowUs()
    await lane.commitDefinitions(nowUs, (read) => {
      const before = state.dictionary.tableById(read, tableId)?.message
      const index = before?.indexes.find(({ id }) => id === indexId)
      if (before === undefined || index?.building !== true) return undefined
      // Its catalog was dropped, and this definition waits for the purge.
      const purge = jobKey(PURGE_CATALOG_JOB, BigInt(before.catalogId))
      if (read(purge, keyText(purge)) !== undefined) return undefined
      const after = { ...before, version: before.version + 1, changedUs: nowUs }
      const statement = change(before, after, index)
      return statement && { catalogId: before.catalogId, statements: [statement] }
    })
  }
  const withIndex = ({ indexes }: TableMessage, next: IndexMessage): readonly IndexMessage[] =>
    indexes.map((index) => (index.id === next.id ? next : index))

  return {
    validate: (tableId, indexId) =>
      log(tableId, indexId, (before, after, index) => {
        if (index.validating) return undefined
        const indexes = withIndex(before, { ...index, validating: true })
        return { kind: 'alterTable', before, after: { ...after, indexes }, autoIncrement: 0n }
      }),
    complete: (tableId, indexId) =>
      log(tableId, indexId, (before, after, index) => {
        const indexes = withIndex(before, { ...index, building: false, validating: false })
        return { kind: 'alterTable', before, after: { ...after, indexes }, autoIncrement: 0n }
      }),
    fail: (tableId, indexId, error) =>
      log(tableId, indexId, (before, after) => {
        const indexes = before.indexes.filter(({ id }) => id !== indexId)
        return { kind: 'dropIndex', before, after: { ...after, indexes }, reason: messageOf(error) }
      }),
  }
}
