/** The test suite that abstract-level has for its implementations, on a level over a table of replog. (G1, G2, G4) */
import { join } from 'node:path'
import t from 'tap'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ReplogLevel } from '../../tools/level/replog-level.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { runSuite } from './tape-suite.js'

/** The suite has about a thousand; a version that has suddenly far fewer was not run as it is meant. */
const SUITE_TESTS_MIN = 900

void t.test('the whole suite, over tables of one primary', async (t) => {
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine(), verifyIntervalMs: 0 })
  t.teardown(() => primary.close())
  let tables = 0
  const factory = (options: object = {}): ReplogLevel =>
    new ReplogLevel({ ...options, catalog: primary.catalog(), table: `test.kv${tables++}` })
  const ran = await runSuite(t, { factory })
  t.ok(ran >= SUITE_TESTS_MIN, `${ran} tests ran`)
})

void t.test('opening, and a part of the suite, each database at a location of its own on LevelDB', async (t) => {
  const directory = scratchDirectory(t)
  let databases = 0
  const factory = (options: object = {}): ReplogLevel => new ReplogLevel(join(directory, `${databases++}`), options)
  const part = /createIfMissing|errorIfExists|simple batch|snapshotting|respects range|sublevel\.clear/
  const ran = await runSuite(t, { factory, only: (name) => part.test(name) })
  t.ok(ran > 10, `${ran} tests ran`)
})
