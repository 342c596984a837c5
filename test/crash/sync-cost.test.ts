/**
 * What a commit costs, as the kernel sees it: one sync for a transaction that comes alone, a fraction of one for those
 * that come together; and the counter in the status agrees with the kernel.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { requireTool } from '../house/tools.js'

const CHILD = fileURLToPath(new URL('sync-cost-child.js', import.meta.url))
/** LevelDB's files are synced when they rotate and when the store is closed. */
const ROTATION_SYNCS_MAX = 5
const run = promisify(execFile)

interface Syncs {
  readonly kernel: number
  readonly counted: number
}

async function syncsOf(strace: string, directory: string, senders: number, each: number): Promise<Syncs> {
  const trace = join(directory, `trace ${senders}`)
  const { stdout } = await run('env', [
    ...['-u', 'NODE_OPTIONS', strace, '-f', '-qq', '-e', 'trace=fdatasync,fsync', '-e', 'signal=none', '-o', trace],
    ...[process.execPath, CHILD, join(directory, `data ${senders}`), `${senders}`, `${each}`],
  ])
  // A call that another thread interrupts takes two lines; only the second one has the result.
  const lines = readFileSync(trace, 'utf8').split('\n')
  return { kernel: lines.filter((line) => /sync.*= 0$/.test(line)).length, counted: Number(stdout) }
}

void t.test('500 transactions one after another cost 500 syncs, 500 from 100 senders fewer than 50', async (t) => {
  const strace = requireTool(t, 'strace')
  if (strace === undefined) return
  const directory = scratchDirectory(t)
  const idle = await syncsOf(strace, directory, 0, 0)
  const alone = await syncsOf(strace, directory, 1, 500)
  const together = await syncsOf(strace, directory, 100, 5)
  const cost = alone.kernel - idle.kernel
  t.ok(Math.abs(cost - 500) <= ROTATION_SYNCS_MAX, `${cost} syncs for 500 transactions one after another`)
  t.ok(together.kernel - idle.kernel < 50, `${together.kernel - idle.kernel} syncs for 500 from 100 senders`)
  t.equal(alone.counted - idle.counted, 500, 'the counter says the same')
  t.equal(together.counted - idle.counted, together.kernel - idle.kernel)
})
