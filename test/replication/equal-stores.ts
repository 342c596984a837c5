/** Holds the stores of a primary and a replica against each other, to the last byte, after both were closed. */
import { openDataDirectory } from '../../store/data-directory.js'
import type { Engine } from '../../store/engine.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { checkStore, prefixProblems, type StoreReport } from '../crash/check-store.js'

async function reportOf(store: string | MemoryEngine): Promise<StoreReport> {
  const engine: Engine = store instanceof MemoryEngine ? store.crash() : (await openDataDirectory(store)).engine
  try {
    return await checkStore(engine)
  } finally {
    await engine.close()
  }
}

/** What is wrong with either, or different between them; each is a data directory or an engine in memory. */
export async function differences(primary: string | MemoryEngine, replica: string | MemoryEngine): Promise<string[]> {
  const [first, second] = [await reportOf(primary), await reportOf(replica)]
  const problems = [
    ...first.problems.map((problem) => `primary: ${problem}`),
    ...second.problems.map((problem) => `replica: ${problem}`),
    ...prefixProblems(first, second),
  ]
  if (first.position.lsn !== second.position.lsn)
    problems.push(`the primary is at ${first.position.lsn}, the replica at ${second.position.lsn}`)
  if (first.rows !== second.rows) problems.push(`the primary has ${first.rows} rows, the replica ${second.rows}`)
  return problems
}
