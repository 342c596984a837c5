/** Real LevelDB directories for tests: made, filled, listed and damaged. */
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Engine } from '../../store/engine.js'
import { LevelEngine, type LevelEngineOptions } from '../../store/level-engine.js'

export async function newDatabase(test: Test): Promise<string> {
  const directory = join(test.testdir({}), 'db')
  await LevelEngine.create(directory)
  return directory
}

/** Opens the database, runs `use`, closes it; what was written is in the log. */
export async function withEngine<T>(
  directory: string,
  use: (engine: Engine) => Promise<T>,
  options: LevelEngineOptions = {},
): Promise<T> {
  const engine = await LevelEngine.open(directory, { flushedLogBytesMin: Infinity, ...options })
  try {
    return await use(engine)
  } finally {
    await engine.close()
  }
}

/** One synced batch with one value. */
export async function commit(engine: Engine, key: string, value: Uint8Array): Promise<void> {
  const batch = engine.batch()
  batch.put(Buffer.from(key), value)
  await batch.writeSynced()
}

/** The files of a kind, ascending. */
export async function filesOf(directory: string, suffix: '.log' | '.ldb'): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith(suffix)).sort()
}

export async function theLog(directory: string): Promise<string> {
  const logs = await filesOf(directory, '.log')
  if (logs.length !== 1) throw new Error(`one log expected, found ${logs.join(' ')}`)
  return join(directory, logs[0]!)
}

/** Flips one bit. */
export async function flip(path: string, offset: number, bit = 0): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, offset)
    byte[0]! ^= 1 << bit
    await file.write(byte, 0, 1, offset)
  } finally {
    await file.close()
  }
}
