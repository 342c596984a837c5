/**
 * fold(log) = store, byte for byte, in both directions: what the log made is there, and nothing that it did not make. (G1)
 *
 * Three things are each server's own. What no table has any more may be gone, in part while its purge job is there and
 * must be without it. (G6) An index that is being built may have more entries than the log knows; `recount` holds those
 * against the rows. A build job has gone on from where the log began it.
 */
import { messageOf } from '../../core/errors.js'
import { BUILD_JOB, decodeBuildJob } from '../../log/build-job.js'
import { PURGE_JOB, encodePurgeJob, indexJobId, parseIndexJobId } from '../../log/purge-job.js'
import {
  INDEX_PREFIX,
  JOB_PREFIX,
  catalogStatsKey,
  describeKey,
  jobKey,
  keyBytes,
  keyText,
  parseIndexKey,
  parseJobKey,
  parseRowKey,
  statsKey,
} from '../../store/keys.js'
import { Expectations, type KeyState } from './expectations.js'
import type { Fold } from './fold.js'
import type { Image, Problems, StoreContents } from './store-contents.js'

export function compareWithFold(contents: StoreContents, fold: Fold, problems: Problems): void {
  const { dictionary, rows, entries, jobs, outcomes } = contents
  const expectations = new Expectations(fold, jobs)
  const stored: Image = new Map([...dictionary, ...rows, ...entries, ...outcomes])
  for (const [text, payload] of fold.image) {
    const key = keyBytes(text)
    if (key[0] === JOB_PREFIX) continue
    const present = stored.get(text)
    const state = expectations.ofKey(key)
    if (state !== 'purged' && isOfUniqueBuild(key, fold)) continue
    if (present === undefined) {
      if (state === 'live' || state === 'building') problems.add(`${describeKey(key)} is missing`)
    } else if (state === 'purged') {
      problems.add(`${describeKey(key)} was left behind by a purge`)
    } else if (!present.equals(payload)) {
      problems.add(`${describeKey(key)} has another value than the log made`)
    }
  }
  for (const text of stored.keys()) {
    if (fold.image.has(text)) continue
    const key = keyBytes(text)
    if (key[0] === INDEX_PREFIX && isMadeByJob(key, fold, expectations)) continue
    problems.add(`${describeKey(key)} was made by no transaction in the log`)
  }
  compareJobs(jobs, fold, expectations, problems)
  compareStats(contents, fold, expectations, problems)
}

/** Of rows with equal values, which only the end of a build finds, each server may have met another one first. */
function isOfUniqueBuild(key: Buffer, fold: Fold): boolean {
  if (key[0] !== INDEX_PREFIX) return false
  const { storageId, indexId } = parseIndexKey(key)
  return fold.building.get(`${storageId}.${indexId}`) === true
}

/** An entry that a build job may have made; what it stands for, `recount` finds out while its rows are there. */
function isMadeByJob(key: Buffer, fold: Fold, expectations: Expectations): boolean {
  const { storageId, indexId } = parseIndexKey(key)
  if (!fold.building.has(`${storageId}.${indexId}`)) return false
  const state = expectations.ofIndex(storageId, indexId)
  return state === 'building' || state === 'purging'
}

function compareJobs(jobs: Image, fold: Fold, expectations: Expectations, problems: Problems): void {
  for (const [text, payload] of jobs) {
    const key = keyBytes(text)
    const made = fold.image.get(text)
    if (parseJobKey(key).kind === BUILD_JOB) {
      compareBuild(key, payload, made, expectations, problems)
    } else if (made === undefined ? !isLeftByCatalog(key, payload, fold) : !made.equals(payload)) {
      problems.add(`${describeKey(key)} was made by no transaction in the log`)
    }
  }
  for (const name of fold.building.keys()) {
    const [storageId, indexId] = name.split('.').map(Number) as [number, number]
    if (expectations.ofIndex(storageId, indexId) !== 'building') continue
    const key = jobKey(BUILD_JOB, indexJobId(storageId, indexId))
    if (!jobs.has(keyText(key))) problems.add(`${describeKey(key)} is missing, and its index is being built`)
  }
}

function compareBuild(
  key: Buffer,
  payload: Buffer,
  made: Buffer | undefined,
  expectations: Expectations,
  problems: Problems,
): void {
  const { storageId, indexId } = parseIndexJobId(parseJobKey(key).id)
  const state = expectations.ofIndex(storageId, indexId)
  // The purge of a catalog ends the builds in it.
  if (made === undefined || (state !== 'building' && state !== 'purging')) {
    problems.add(`${describeKey(key)} is there, and its index is not being built`)
    return
  }
  try {
    const [begun, now] = [decodeBuildJob(made), decodeBuildJob(payload)]
    if (now.tableId !== begun.tableId || now.version !== begun.version) {
      problems.add(`${describeKey(key)} is about another table version than the log says`)
    }
    if (now.last !== undefined && parseRowKey(now.last).storageId !== storageId) {
      problems.add(`${describeKey(key)} stands at a row of another storage`)
    }
  } catch (error) {
    problems.add(`${describeKey(key)}: ${messageOf(error)}`)
  }
}

/** The purge of a catalog leaves a job for each of its tables. */
function isLeftByCatalog(key: Buffer, payload: Buffer, fold: Fold): boolean {
  const { kind, id } = parseJobKey(key)
  const storage = fold.storages.get(Number(id))
  if (kind !== PURGE_JOB || storage?.abandoned !== 'with its catalog') return false
  const { id: tableId, indexes } = storage.table.message
  return encodePurgeJob({ tableId, indexIds: indexes.map((index) => index.id) }).equals(payload)
}

function compareStats(contents: StoreContents, fold: Fold, expectations: Expectations, problems: Problems): void {
  const { stats, catalogStats } = contents
  compareAll(stats, fold.stats, statsKey, (id) => expectations.ofStorage(id), problems)
  compareAll(catalogStats, fold.catalogStats, catalogStatsKey, (id) => expectations.ofCatalog(id), problems)
}

function compareAll(
  stored: Image,
  folded: ReadonlyMap<number, { encode(): Buffer }>,
  keyOf: (id: number) => Buffer,
  stateOf: (id: number) => KeyState,
  problems: Problems,
): void {
  for (const [id, expected] of folded) {
    const key = keyOf(id)
    const actual = stored.get(keyText(key))
    const state = stateOf(id)
    if (state === 'purged') {
      if (actual !== undefined) problems.add(`the ${describeKey(key)} were left behind by a purge`)
    } else if (actual?.equals(expected.encode()) !== true && !(state === 'purging' && actual === undefined)) {
      problems.add(`the ${describeKey(key)} are not those of the log`)
    }
  }
  for (const text of stored.keys()) {
    const key = keyBytes(text)
    if (!folded.has(key.readUInt32BE(1))) problems.add(`the ${describeKey(key)} belong to nothing in the log`)
  }
}
