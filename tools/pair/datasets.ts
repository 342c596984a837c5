/**
 * Real data for the pair: files of the npm package `vega-datasets`, imported over HTTP as a user would with
 * `replog import`. Where the package is not installed (it serves development only) there is just the workload.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { isReplogError } from '../../core/errors.js'
import type { HttpClient } from '../http-client.js'
import { httpTarget } from '../import/http-target.js'
import { importFile } from '../import/import-file.js'
import { ProgressBar } from '../progress-bar.js'
import type { Terminal } from '../terminal.js'

export interface LoadedDataset {
  readonly file: string
  readonly table: string
  readonly rows: number
}

/** 200,000 flights, and films with nulls, mixed types and Unicode. */
const DATASETS = [
  { file: 'movies.json', table: 'test.movies' },
  { file: 'flights-200k.json', table: 'test.flights' },
] as const

/** Imports what is not imported yet; stops between two transactions when the signal is aborted. */
export async function loadDatasets(
  client: HttpClient,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<readonly LoadedDataset[]> {
  const directory = datasetDirectory()
  if (directory === undefined) {
    terminal.note('vega-datasets is not installed, so there is no data set to load; the workload runs by itself')
    return []
  }
  const loaded: LoadedDataset[] = []
  for (const { file, table } of DATASETS) {
    if (signal.aborted) break
    const bar = new ProgressBar(terminal.stderr)
    try {
      const report = await importFile(
        { file: join(directory, file), table, create: true, signal },
        httpTarget(client, 'local'),
        (state) => {
          bar.update(state)
        },
      )
      loaded.push({ file, table, rows: report.rows })
      if (report.isComplete) {
        terminal.note(`${report.wasComplete ? 'there' : 'loaded'}: ${report.rows} rows of ${file} in ${table}`)
      }
    } catch (error) {
      // Stopped before its first row: the user's wish, not a fault.
      if (!signal.aborted || !isReplogError(error, 'CLOSED')) throw error
    } finally {
      bar.end()
    }
  }
  return loaded
}

function datasetDirectory(): string | undefined {
  try {
    const main = createRequire(import.meta.url).resolve('vega-datasets')
    return join(dirname(main), '..', 'data')
  } catch {
    return undefined
  }
}
