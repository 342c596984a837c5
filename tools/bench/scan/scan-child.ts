/** A process of `bench scan`: fills stores, and reads them with the product or with LevelDB alone. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { LSN_ZERO } from '../../../core/position.js'
import { planScan } from '../../../log/scan.js'
import { type Catalog } from '../../../primary/catalog.js'
import { Primary } from '../../../primary/primary.js'
import { BareLevel } from '../../../store/bare-level.js'
import type { KeyRange } from '../../../store/engine.js'
import { keyBytes, logRange, prefixRange } from '../../../store/keys.js'
import { runCommitters } from '../commit/committers.js'
import { answerMeasurements, tellProgress } from '../measuring-child.js'
import { readLog } from './read-log.js'
import type { Filled, HexRange, ReadAnswer, ReadFigures, Reading, ScanRequest } from './requests.js'
import { CATEGORIES, CREATE_SCAN_TABLE, SCAN_INDEX, SCAN_TABLE, compiledScanTable, scanRow } from './scan-table.js'

const FILL_COMMITTERS = 1000
/** Where `openDataDirectory` puts the LevelDB. */
const DATABASE_DIRECTORY = 'db'
/** A tenth of all rows is enough: their pages lie in other parts of the store. */
const PREFIXES = Array.from({ length: CATEGORIES / 10 }, (_, at) => at * 10)

answerMeasurements<ScanRequest>(async (request): Promise<object> => {
  switch (request.kind) {
    case 'fill':
      return fill(request)
    case 'product':
      return readProduct(request)
    case 'bare':
      return readBare(request)
  }
})

async function fill({ path, rows, rowsPerTransaction }: Extract<ScanRequest, { kind: 'fill' }>): Promise<Filled> {
  const primary = await Primary.open({ path })
  try {
    const catalog = primary.catalog()
    await catalog.execute([CREATE_SCAN_TABLE])
    const transactions = Math.ceil(rows / rowsPerTransaction)
    let done = 0
    await runCommitters(
      async (ordinal) => {
        const first = ordinal * rowsPerTransaction
        const count = Math.min(rowsPerTransaction, rows - first)
        await catalog.execute([
          { insert: { table: SCAN_TABLE, rows: Array.from({ length: count }, (_, at) => scanRow(first + at)) } },
        ])
        if (++done % 1000 === 0) tellProgress('filling', done, transactions)
      },
      { committers: Math.ceil(FILL_COMMITTERS / rowsPerTransaction), transactions },
    )
    const table = compiledScanTable(primary)
    const prefixes = PREFIXES.map((category) => {
      const { from, to } = planScan(table, { prefix: { category } }).range
      return { from: keyBytes(from), to: keyBytes(to) }
    })
    const rowRange = prefixRange(table.rowPrefix)
    return {
      ranges: {
        'primary key': [hexOf(rowRange)],
        // Each entry of the index leads to its row.
        index: [...table.indexes.map(({ prefix }) => hexOf(prefixRange(prefix))), hexOf(rowRange)],
        prefix: prefixes.map(hexOf),
        log: [hexOf(logRange(LSN_ZERO))],
      },
    }
  } finally {
    await primary.close()
  }
}

async function readProduct({ path, readings }: Extract<ScanRequest, { kind: 'product' }>): Promise<ReadAnswer> {
  const primary = await Primary.open({ path })
  try {
    const catalog = primary.catalog()
    const read: Readonly<Record<Reading, () => Promise<number>>> = {
      'primary key': () => countRows(catalog, [{}]),
      index: () => countRows(catalog, [{ index: SCAN_INDEX }]),
      prefix: () =>
        countRows(
          catalog,
          PREFIXES.map((category) => ({ prefix: { category } })),
        ),
      log: async () => (await readLog(primary.state, compiledScanTable(primary))).changes,
    }
    return await measureEach(readings, (reading) => read[reading]())
  } finally {
    await primary.close()
  }
}

async function countRows(catalog: Catalog, scans: readonly Parameters<Catalog['scanPages']>[1][]): Promise<number> {
  let rows = 0
  for (const options of scans) for await (const page of catalog.scanPages(SCAN_TABLE, options)) rows += page.length
  return rows
}

async function readBare({ path, ranges }: Extract<ScanRequest, { kind: 'bare' }>): Promise<ReadAnswer> {
  const level = await BareLevel.open(join(path, DATABASE_DIRECTORY))
  try {
    return await measureEach(Object.keys(ranges) as Reading[], async (reading) => {
      let entries = 0
      for (const range of ranges[reading] ?? []) entries += (await level.readAll(rangeOf(range))).entries
      return entries
    })
  } finally {
    await level.close()
  }
}

async function measureEach(
  readings: readonly Reading[],
  read: (reading: Reading) => Promise<number>,
): Promise<ReadAnswer> {
  const answer: Partial<Record<Reading, ReadFigures>> = {}
  for (const reading of readings) {
    globalThis.gc?.()
    const [cpu, startMs] = [process.cpuUsage(), performance.now()]
    const units = await read(reading)
    const { user, system } = process.cpuUsage(cpu)
    assert(units > 0, 'there is something to read')
    answer[reading] = { units, seconds: (performance.now() - startMs) / 1000, cpuSeconds: (user + system) / 1e6 }
  }
  return answer
}

function hexOf({ from, to }: KeyRange): HexRange {
  return { from: Buffer.from(from).toString('hex'), to: Buffer.from(to).toString('hex') }
}

function rangeOf({ from, to }: HexRange): KeyRange {
  return { from: Buffer.from(from, 'hex'), to: Buffer.from(to, 'hex') }
}
