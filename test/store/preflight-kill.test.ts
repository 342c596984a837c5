/** G1, G2 after kill -9 in the middle of commits, flushes and openings, the preflight accepts what is left. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { openDataDirectory } from '../../store/data-directory.js'
import { metaKey } from '../../store/keys.js'

const WRITER = fileURLToPath(new URL('endless-writer.js', import.meta.url))
const ROUNDS = 10

/** Kills a writer some time after its first acknowledged commit; gives the last number that it acknowledged. */
async function writeAndKill(directory: string, delayMs: number): Promise<number> {
  const writer = spawn(process.execPath, [WRITER, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  writer.stdout.setEncoding('utf8')
  writer.stdout.once('data', () => setTimeout(() => writer.kill('SIGKILL'), delayMs))
  writer.stdout.on('data', (text: string) => {
    output += text
  })
  await once(writer, 'close')
  // The last line may be cut by the kill; the one before it was written as a whole.
  return Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1))
}

async function killRounds(directory: string, delayMs: (round: number) => number): Promise<string[]> {
  const lost: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const acknowledged = await writeAndKill(directory, delayMs(round))
    const { engine } = await openDataDirectory(directory)
    const found = engine.get(metaKey('counter'))?.readUInt32LE(0) ?? 0
    if (!(found >= acknowledged && acknowledged > 0)) lost.push(`${acknowledged} acknowledged, ${found} found`)
    await engine.close()
  }
  return lost
}

void t.test(`${2 * ROUNDS} rounds of kill -9 lose no acknowledged commit and are always accepted`, async (t) => {
  const directory = t.testdir({})
  const lost = await Promise.all([
    killRounds(join(directory, 'long'), (round) => 20 + 13 * round),
    killRounds(join(directory, 'short'), (round) => round),
  ])
  t.same(lost, [[], []])
})
