/**
 * The names of what a batch does to a store, so that a crash can be put at every one of them: the transactions that it
 * holds, and the step that a background job makes in it. Read off the keys, as they are handed to the engine.
 */
import { decodeBuildJob, type BuildStep, BUILD_JOB } from '../../log/build-job.js'
import { readWholeFrame } from '../../log/codec/frame.js'
import type { Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { indexJobId, PURGE_CATALOG_JOB, PURGE_INDEX_JOB, PURGE_JOB } from '../../log/purge-job.js'
import {
  catalogTablesPrefix,
  idempotencyPrefix,
  INDEX_PREFIX,
  JOB_PREFIX,
  LOG_PREFIX,
  parseIndexKey,
  parseJobKey,
  parseLogKey,
  parseRowKey,
  ROW_PREFIX,
  schemaPrefix,
} from '../../store/keys.js'
import { unseal } from '../../store/seal.js'

export const STEPS = [
  'log: a statement',
  'log: the index is validated',
  'log: the index is built',
  'log: the index cannot be unique',
  'build: page of the first pass',
  'build: end of the first pass',
  'build: begin of the second pass',
  'build: page of the second pass',
  'build: end',
  'purge of a storage: rows',
  'purge of a storage: index entries',
  'purge of a storage: end',
  'purge of an index: entries',
  'purge of an index: end',
  'purge of a catalog: tables',
  'purge of a catalog: schemas',
  'purge of a catalog: outcomes',
  'purge of a catalog: end',
] as const

export type Step = (typeof STEPS)[number]

export interface Operation {
  readonly key: Buffer
  /** As stored, sealed; undefined is a delete. */
  readonly value: Buffer | undefined
}

export interface BatchSteps {
  /** Each once; a batch without any has nothing to do with definitions. */
  readonly steps: readonly Step[]
  /** Transactions that somebody asked for, unlike those of the server's own. */
  readonly asked: number
}

/** Follows the batches of one store from a time at which it has no job. */
export class StepNames {
  readonly #purges = new Set<string>()

  of(operations: readonly Operation[]): BatchSteps {
    const steps = new Set<Step>()
    let asked = 0
    for (const transaction of transactionsOf(operations)) {
      const step = transactionStep(transaction)
      if (step === 'log: a statement') asked++
      steps.add(step)
    }
    const isLocal = steps.size === 0
    for (const { key, value } of operations) {
      if (value === undefined) this.#purgeStep(key, steps)
      if (key[0] !== JOB_PREFIX) continue
      const { kind, id } = parseJobKey(key)
      if (kind !== BUILD_JOB && value !== undefined) this.#purges.add(`${kind}${id}`)
      if (kind === BUILD_JOB && value !== undefined && isLocal) steps.add(buildStep(decodeBuildJob(unseal(key, value))))
    }
    return { steps: [...steps], asked }
  }

  #purgeStep(key: Buffer, steps: Set<Step>): void {
    if (key[0] === ROW_PREFIX) {
      if (this.#purges.has(`${PURGE_JOB}${parseRowKey(key).storageId}`)) steps.add('purge of a storage: rows')
    } else if (key[0] === INDEX_PREFIX) {
      const { storageId, indexId } = parseIndexKey(key)
      const ofIndex = `${PURGE_INDEX_JOB}${indexJobId(storageId, indexId)}`
      if (this.#purges.has(`${PURGE_JOB}${storageId}`)) steps.add('purge of a storage: index entries')
      if (this.#purges.has(ofIndex)) steps.add('purge of an index: entries')
    } else if (key[0] === JOB_PREFIX) {
      const { kind, id } = parseJobKey(key)
      this.#purges.delete(`${kind}${id}`)
      if (kind === PURGE_JOB) steps.add('purge of a storage: end')
      if (kind === PURGE_INDEX_JOB) steps.add('purge of an index: end')
      if (kind === PURGE_CATALOG_JOB) steps.add('purge of a catalog: end')
    } else {
      this.#purgeCatalogStep(key, steps)
    }
  }

  #purgeCatalogStep(key: Buffer, steps: Set<Step>): void {
    for (const purge of this.#purges) {
      if (!purge.startsWith(PURGE_CATALOG_JOB)) continue
      const catalogId = Number(purge.slice(1))
      if (hasPrefix(key, catalogTablesPrefix(catalogId))) steps.add('purge of a catalog: tables')
      if (hasPrefix(key, schemaPrefix(catalogId))) steps.add('purge of a catalog: schemas')
      if (hasPrefix(key, idempotencyPrefix(catalogId))) steps.add('purge of a catalog: outcomes')
    }
  }
}

function transactionsOf(operations: readonly Operation[]): readonly Transaction[] {
  const payloads = new Map<bigint, Uint8Array[]>()
  for (const { key, value } of operations) {
    if (key[0] !== LOG_PREFIX || value === undefined) continue
    const { lsn } = parseLogKey(key)
    payloads.set(lsn, [...(payloads.get(lsn) ?? []), readWholeFrame(value).payload])
  }
  return [...payloads.values()].map((segments) => decodeTransaction(segments))
}

function transactionStep({ statements }: Transaction): Step {
  const [first] = statements
  if (statements.length !== 1 || first === undefined) return 'log: a statement'
  if (first.kind === 'dropIndex' && first.reason !== '') return 'log: the index cannot be unique'
  if (first.kind !== 'alterTable') return 'log: a statement'
  for (const before of first.before.indexes) {
    const after = first.after.indexes.find(({ id }) => id === before.id)
    if (!before.building || after === undefined) continue
    if (!after.building) return 'log: the index is built'
    if (after.validating && !before.validating) return 'log: the index is validated'
  }
  return 'log: a statement'
}

function buildStep({ pass, last }: BuildStep): Step {
  switch (pass) {
    case 'first':
      return 'build: page of the first pass'
    case 'first done':
      return 'build: end of the first pass'
    case 'second':
      return last === undefined ? 'build: begin of the second pass' : 'build: page of the second pass'
    case 'done':
      return 'build: end'
  }
}

function hasPrefix(key: Buffer, prefix: Buffer): boolean {
  return key.subarray(0, prefix.length).equals(prefix)
}
