/** A process of `bench open`: grows a store, or opens one and commits to it. */
import assert from 'node:assert/strict'
import { Primary } from '../../../primary/primary.js'
import { runCommitters } from '../commit/committers.js'
import { Latencies } from '../fsync/latency.js'
import { CREATE_TABLE, Workload } from '../fsync/workload.js'
import { answerMeasurements, tellProgress } from '../measuring-child.js'
import { directoryBytes } from '../written-bytes.js'
import type { Grown, Opened, OpenRequest } from './requests.js'

const ROW_BYTES = 100
const PROGRESS_TRANSACTIONS = 10_000
/** Commits before those that count: code is compiled. */
const WARM_UP_COMMITS = 200

answerMeasurements<OpenRequest>((request): Promise<object> => (request.kind === 'grow' ? grow(request) : open(request)))

async function grow({ path, transactions, committers }: Extract<OpenRequest, { kind: 'grow' }>): Promise<Grown> {
  const workload = await Workload.create(ROW_BYTES)
  const primary = await Primary.open({ path })
  try {
    const catalog = primary.catalog()
    if (primary.position.lsn < workload.start.lsn) await catalog.execute([CREATE_TABLE])
    const there = Number(primary.position.lsn)
    let done = there
    await runCommitters(
      async (ordinal) => {
        // As the n-th transaction of the log it is the n-th row, so that none comes twice.
        await catalog.execute([workload.insert(there + ordinal)])
        if (++done % PROGRESS_TRANSACTIONS === 0) tellProgress('growing', done, transactions)
      },
      { committers, transactions: Math.max(1, transactions - there) },
    )
    assert(Number(primary.position.lsn) >= transactions, 'the log has grown')
  } finally {
    await primary.close()
  }
  return { transactions: Number(primary.position.lsn), bytes: await directoryBytes(path) }
}

async function open({ path, commits, dies }: Extract<OpenRequest, { kind: 'open' }>): Promise<Opened> {
  const startMs = performance.now()
  const primary = await Primary.open({ path })
  const openMs = performance.now() - startMs
  const memoryBytes = process.memoryUsage.rss()
  const transactions = Number(primary.position.lsn)
  const workload = await Workload.create(ROW_BYTES)
  const catalog = primary.catalog()
  const latencies = new Latencies()
  for (let commit = 0; commit < WARM_UP_COMMITS + commits; commit++) {
    const committedMs = performance.now()
    await catalog.execute([workload.insert(transactions + commit)])
    if (commit >= WARM_UP_COMMITS) latencies.add(performance.now() - committedMs)
  }
  // The parent kills this process when it has the answer: what was committed has to be there all the same.
  if (!dies) await primary.close()
  return {
    openMs,
    p50Ms: latencies.percentileMs(0.5),
    p99Ms: latencies.percentileMs(0.99),
    memoryBytes,
    transactions,
  }
}
