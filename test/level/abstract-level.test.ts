/** The test suite that abstract-level has for its implementations, on a level over a table of replog. (G1, G2, G4) */
import { join } from 'node:path'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ReplogLevel } from '../../tools/level/replog-level.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { report, runSuite } from './tape-suite.js'

/** The suite has about a thousand; a version that has suddenly far fewer was not run as it is meant. */
const SUITE_TESTS_MIN = 900

/*
 * Without tap: from its import on it follows every promise that is made, which doubles what thousands of small tests cost,
 * and it gives each test of its own a time, which these together need not keep on a busy machine.
 */
const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine(), verifyIntervalMs: 0 })
let tables = 0
const whole = await runSuite({
  factory: (options = {}) => new ReplogLevel({ ...options, catalog: primary.catalog(), table: `test.kv${tables++}` }),
})
await primary.close()

const { default: t } = await import('tap')

void t.test('the whole suite, over tables of one primary', (t) => {
  report(t, whole)
  t.ok(whole.length >= SUITE_TESTS_MIN, `${whole.length} tests ran`)
  t.end()
})

void t.test('opening, and a part of the suite, each database at a location of its own on LevelDB', async (t) => {
  const directory = scratchDirectory(t)
  let databases = 0
  const part = /createIfMissing|errorIfExists|simple batch|snapshotting|respects range|sublevel\.clear/
  const located = await runSuite({
    factory: (options = {}) => new ReplogLevel(join(directory, `${databases++}`), options),
    only: (name) => part.test(name),
  })
  report(t, located)
  t.ok(located.length > 10, `${located.length} tests ran`)
})
