/** Servers and commands of these tests as processes, and what their directories hold. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { openDataDirectory } from '../../store/data-directory.js'
import { Problems, sweep } from '../crash/store-contents.js'
import { type ServerProcess, start } from '../failover/servers.js'
import { spawnPlain } from '../house/spawn-plain.js'
import { copyProblems, takenCopy } from './compare-copy.js'

const PROGRAM = fileURLToPath(new URL('../../tools/replog.js', import.meta.url))
const ROWS_PER_TRANSACTION = 200
const LOADS = 40
/** Well below the time that a test file has, so that the file says itself what it waited for. */
const WAIT_MS_MAX = 80_000

export interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

export function run(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  readonly kill: () => void
} {
  const child = spawnPlain(process.execPath, [PROGRAM, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
  let output = ''
  let errors = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output, errors }))
  return { process: child, ended, kill: () => void child.kill('SIGKILL') }
}

let nextId = 0

export async function load({ client }: ServerProcess, transactions: number): Promise<void> {
  for (let at = 0; at < transactions; at++) {
    const rows = Array.from({ length: ROWS_PER_TRANSACTION }, () => ({ id: nextId++, word: 'x'.repeat(200) }))
    await client.execute('local', [{ insert: { table: 't', rows } }])
  }
}

export async function loaded(t: Test, directory: string, ...flags: readonly string[]): Promise<ServerProcess> {
  const primary = await start(t, 'primary', '--data', directory, '--follower-hold', '1ms', ...flags)
  await primary.client.execute('local', [
    {
      createTable: {
        table: {
          name: 't',
          columns: [
            { name: 'id', type: 'INTEGER', notNull: true },
            { name: 'word', type: 'TEXT' },
          ],
          primaryKey: ['id'],
          indexes: [{ name: 'by_word', columns: ['word', 'id'] }],
        },
      },
    },
  ])
  await load(primary, LOADS)
  return primary
}

export async function contentsOf(directory: string): Promise<Awaited<ReturnType<typeof sweep>>> {
  const { engine } = await openDataDirectory(directory, { createIfMissing: false })
  try {
    return await sweep(engine, new Problems())
  } finally {
    await engine.close()
  }
}

/** What is wrong with a copy; nobody has either directory open. */
export async function differences(source: string, copy: string): Promise<string[]> {
  const { engine } = await openDataDirectory(copy, { createIfMissing: false })
  try {
    return copyProblems(await takenCopy(engine), await contentsOf(source))
  } finally {
    await engine.close()
  }
}

export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS_MAX
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`it never came about: ${what}`)
    await delay(50)
  }
}

/** How many bytes the files of a store have that may be open. */
export async function storedBytes(directory: string): Promise<number> {
  const names = await readdir(join(directory, 'db')).catch(() => [])
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(directory, 'db', name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

export async function purge({ client }: ServerProcess): Promise<void> {
  await client.json('/v1/admin/purge', { body: JSON.stringify({ keepBytes: 0 }) })
}
