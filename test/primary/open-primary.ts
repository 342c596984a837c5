/** A primary for one test, on LevelDB in a directory of the test or on an engine in memory, closed when the test ends. */
import type { Test } from 'tap'
import type { Catalog } from '../../primary/catalog.js'
import { Primary, type PrimaryOptions } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { GatedEngine } from './gated-engine.js'
import { scratchDirectory } from './scratch-directory.js'

export interface OpenedPrimary {
  readonly primary: Primary
  readonly db: Catalog
}

type Options = Omit<PrimaryOptions, 'path' | 'engine'>

/** `engine` is one that stands before LevelDB, opened at `path`. */
export async function openOnDisk(
  t: Test,
  path = scratchDirectory(t),
  options: Omit<PrimaryOptions, 'path'> = {},
): Promise<OpenedPrimary> {
  const primary = await Primary.open({ path, ...options })
  stayAlive(t)
  t.teardown(() => primary.close())
  return { primary, db: primary.catalog() }
}

export interface GatedPrimary extends OpenedPrimary {
  readonly engine: GatedEngine
  /** The engine behind the gates: `memory.crash()` is what a restart would open. */
  readonly memory: MemoryEngine
}

export async function openGated(t: Test, options: Options = {}, memory = new MemoryEngine()): Promise<GatedPrimary> {
  const engine = new GatedEngine(memory)
  const primary = await Primary.open({ path: '/memory', engine, ...options })
  stayAlive(t)
  t.teardown(async () => {
    engine.before.open()
    engine.after.open()
    await primary.close()
  })
  return { primary, db: primary.catalog(), engine, memory }
}

/** A test that waits for a background job has nothing else that would keep its process alive. */
function stayAlive(t: Test): void {
  const alive = setInterval(() => undefined, 60_000)
  t.teardown(() => {
    clearInterval(alive)
  })
}
