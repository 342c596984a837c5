/**
 * A server that is killed and restarted under load: no call of a client is lost or done twice, and none needs help.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Primary } from '../../primary/primary.js'
import { Client } from '../../tools/client/client.js'
import { Child } from '../crash/child.js'
import { freePort } from '../nats/nats-server.js'
import { makeTable, rowsOf } from './serving.js'

const PROGRAM = fileURLToPath(new URL('server-child.js', import.meta.url))
const WORKERS = 6
const KILLS = 3

async function start(t: Test, path: string, port: number): Promise<{ readonly child: Child }> {
  let ready: () => void
  const listening = new Promise<void>((resolve) => {
    ready = resolve
  })
  const child = new Child(process.execPath, [PROGRAM, path, String(port)], (line) => {
    if (line.startsWith('ready ')) ready()
    else t.fail(line)
  })
  await Promise.race([listening, child.end().then(() => Promise.reject(new Error('it ended')))])
  return { child }
}

void t.test('exactly once through kill -9 and a shutdown', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'replog-client-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const path = join(directory, 'data')
  const primary = await Primary.open({ path })
  await makeTable(primary.catalog())
  await primary.catalog().execute([{ insert: { table: 'test.t', rows: [{ id: 0n, n: 0n }] } }])
  await primary.close()

  const port = await freePort()
  let { child } = await start(t, path, port)
  const client = await Client.connect(`http://127.0.0.1:${port}`, {
    pool: { max: WORKERS },
    reconnect: { minMs: 5, maxMs: 50 },
    connectTimeoutMs: 60_000,
  })
  let isOver = false
  let done = 0
  const worker = async (number: number): Promise<void> => {
    for (let turn = 0; !isOver; turn++) {
      const id = BigInt(turn * WORKERS + number + 1)
      const counted = { update: { table: 'test.t', key: { id: 0n }, set: { n: { add: 1n } } } }
      if (turn % 2 === 0) {
        await client.execute([{ insert: { table: 'test.t', rows: [{ id, n: 0n }] } }, counted])
      } else {
        await client.transaction(async (tx) => {
          await tx.insert('test.t', { id, n: 0n })
          await tx.execute(counted)
        })
      }
      done++
    }
  }
  const workers = Array.from({ length: WORKERS }, (_, number) => worker(number))
  const load = Promise.all(workers)
  for (let kill = 0; kill < KILLS; kill++) {
    const before = done
    while (done < before + 30) await Promise.race([delay(2), load])
    if (kill === KILLS - 1) await child.finish()
    else await child.kill()
    await delay(20)
    child = (await start(t, path, port)).child
  }
  const before = done
  while (done < before + 30) await Promise.race([delay(2), load])
  isOver = true
  await load
  await client.close()
  t.equal(await child.finish(), 0)

  const reopened = await Primary.open({ path })
  const [counter, ...rows] = await rowsOf(reopened.catalog())
  t.strictSame(counter, { id: 0n, n: BigInt(done) })
  t.equal(rows.length, done, `each of ${done} calls took effect once`)
  await reopened.close()
})
