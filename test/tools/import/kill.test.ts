/**
 * G1: an import that is killed at any moment has stored a prefix of its file, and its progress row says how long it is;
 * the same command takes it up, until the table holds every row once.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { isReplogError } from '../../../core/errors.js'
import { Primary } from '../../../primary/primary.js'
import { spawnPlain } from '../../house/spawn-plain.js'
import { rowsOf } from './imported.js'

const PROGRAM = fileURLToPath(new URL('../../../tools/replog.js', import.meta.url))
const ROWS = 10_000
const ROUNDS = 6

function expected(n: number): string {
  return `row ${n} ${'ü'.repeat(n % 40)}`
}

t.test('kill -9 at random moments, then take it up', async (t) => {
  const directory = t.testdir({})
  const data = join(directory, 'data')
  const file = join(directory, 'rows.ndjson')
  writeFileSync(file, Array.from({ length: ROWS }, (_, n) => `{"n":${n},"text":"${expected(n)}"}\n`).join(''))
  const start = (): ReturnType<typeof spawnPlain> =>
    spawnPlain(
      process.execPath,
      [PROGRAM, 'import', file, '--table', 'test.t', '--create', '--data', data, '--rows', '4'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )

  /** Rows stored, which are checked to be the first of the file and to be as many as the progress row says. */
  const storedRows = async (): Promise<number> => {
    const primary = await Primary.open({ path: data })
    try {
      const db = primary.catalog()
      const rows = await rowsOf(db, 'test.t').catch((error: unknown) => {
        // Killed before the first transaction.
        if (isReplogError(error, 'NOT_FOUND')) return []
        throw error
      })
      const wrong = rows.findIndex(({ n, text }, at) => n !== at || text !== expected(at))
      t.equal(wrong, -1, `${rows.length} rows are the first of the file, each once`)
      if (rows.length > 0) {
        const [progress] = await rowsOf(db, 'test.replog_import')
        t.equal(progress?.['rows_done'], BigInt(rows.length), 'the progress row says the same')
      }
      return rows.length
    } finally {
      await primary.close()
    }
  }

  let before = 0
  let advanced = 0
  for (let round = 0; round < ROUNDS; round++) {
    const child = start()
    await delay(300 + Math.random() * 500)
    child.kill('SIGKILL')
    await once(child, 'close')
    const after = await storedRows()
    t.ok(after >= before, 'nothing that was stored is gone')
    if (after > before) advanced++
    before = after
  }
  t.comment(`${advanced} of ${ROUNDS} rounds stored rows, ${before} of ${ROWS} in all`)
  const last = start()
  const [code] = (await once(last, 'close')) as [number]
  t.equal(code, 0)
  t.equal(await storedRows(), ROWS)
})
