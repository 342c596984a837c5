/**
 * The sides of the comparison of `bench commit`: the product in the two ways in which an application commits one row, and
 * LevelDB alone with the same keys and bytes.
 *
 *   one-shot     db.execute([{ insert }])                           runs in the commit lane
 *   transaction  db.transaction((tx) => tx.insert(table, row))      begins on a snapshot, and is validated
 *   ceiling      chained batches of LevelDB with sync: one in flight, and what waits meanwhile goes into the next. With one
 *                committer: one synced batch for each transaction
 *
 * Invariants: `commit` resolves when the transaction is durable; all of them group alike.
 */
import { join } from 'node:path'
import { Primary } from '../../../primary/primary.js'
import { BareLevel, type BareBatch } from '../../../store/bare-level.js'
import { openDataDirectory } from '../../../store/data-directory.js'
import type { Engine } from '../../../store/engine.js'
import { CREATE_TABLE, type Workload } from '../fsync/workload.js'
import { Recorder, type Recording } from './recording.js'

export const PRODUCT_SERIES = ['one-shot', 'transaction'] as const
export type ProductSeries = (typeof PRODUCT_SERIES)[number]
export type SeriesName = ProductSeries | 'ceiling'

export interface CommitTarget {
  commit(ordinal: number): Promise<unknown>
  /** Calls made since the opening. */
  readonly syncs: number
  /** Of keys and values that LevelDB was given since the opening; undefined where they are not counted. */
  readonly bytesHanded: number | undefined
  close(): Promise<void>
}

type Failed = (error: unknown) => void

/** Where the LevelDB of a target lies, in its directory. */
export const DATABASE_FOLDER = 'data'

export async function openProduct(path: string, series: ProductSeries, workload: Workload): Promise<CommitTarget> {
  const { engine } = await openDataDirectory(join(path, DATABASE_FOLDER))
  const primary = await openPrimary(path, engine)
  const catalog = primary.catalog()
  const syncsBefore = engine.syncs
  const commits: Readonly<Record<ProductSeries, CommitTarget['commit']>> = {
    'one-shot': (ordinal) => catalog.execute([workload.insert(ordinal)]),
    transaction: (ordinal) => {
      const { table, rows } = workload.insert(ordinal).insert
      return catalog.transaction((transaction) => transaction.insert(table, rows))
    },
  }
  return {
    commit: commits[series],
    get syncs() {
      return engine.syncs - syncsBefore
    },
    bytesHanded: undefined,
    close: () => primary.close(),
  }
}

/** Records what the product writes for so many transactions. */
export async function record(
  path: string,
  workload: Workload,
  {
    transactions,
    committers,
    file,
  }: { readonly transactions: number; readonly committers: number; readonly file: string },
): Promise<void> {
  const { engine } = await openDataDirectory(join(path, DATABASE_FOLDER))
  const recorder = new Recorder()
  const primary = await openPrimary(path, recorder.engine(engine))
  try {
    recorder.begin()
    let next = 0
    const catalog = primary.catalog()
    const committer = async (): Promise<void> => {
      while (next < transactions) await catalog.execute([workload.insert(next++)])
    }
    await Promise.all(Array.from({ length: committers }, committer))
  } finally {
    await primary.close()
  }
  await recorder.write(file)
}

async function openPrimary(path: string, engine: Engine): Promise<Primary> {
  // Every message of its log is one of the workload.
  const primary = await Primary.open({ path, engine, verifyIntervalMs: 0 }).catch(async (error: unknown) => {
    await engine.close()
    throw error
  })
  try {
    await primary.catalog().execute([CREATE_TABLE])
    return primary
  } catch (error) {
    await primary.close()
    throw error
  }
}

export async function openCeiling(path: string, recording: Recording): Promise<CommitTarget> {
  const level = await BareLevel.open(join(path, DATABASE_FOLDER))
  let bytesHanded = 0
  let open: { readonly batch: BareBatch; readonly durable: (() => void)[]; readonly failed: Failed[] } | undefined
  let isInFlight = false

  const flush = (): void => {
    const group = open
    if (isInFlight || group === undefined) return
    open = undefined
    isInFlight = true
    bytesHanded += recording.putGroup(group.batch)
    group.batch.writeSynced().then(
      () => {
        isInFlight = false
        // The device is kept busy first, as in the product.
        flush()
        for (const tell of group.durable) tell()
      },
      (error: unknown) => {
        for (const tell of group.failed) tell(error)
      },
    )
  }
  return {
    commit(ordinal) {
      open ??= { batch: level.batch(), durable: [], failed: [] }
      const { batch, durable, failed } = open
      bytesHanded += recording.putTransaction(batch, ordinal)
      // In a microtask, so that those who come in one turn share the batch.
      if (durable.length === 0) queueMicrotask(flush)
      return new Promise<void>((resolve, reject) => {
        durable.push(resolve)
        failed.push(reject)
      })
    },
    get syncs() {
      return level.syncs
    },
    get bytesHanded() {
      return bytesHanded
    },
    close: () => level.close(),
  }
}
