/**
 * Promotion of a real replica process: on its port, in its process, and back again. G2, G7: of a planned switch under load
 * nothing that was acknowledged is lost.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { Client } from '../../tools/client/client.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { until } from '../replication/until.js'
import { replog } from '../tools/recording-terminal.js'
import { start } from './servers.js'

t.setTimeout(120_000)

const TABLE = {
  name: 'entries',
  columns: [{ name: 'id', type: 'BIGINT' }],
  primaryKey: ['id'],
}

void t.test(
  'replog promote under load: nothing that was acknowledged is lost, the old primary is fenced',
  async (t) => {
    const directory = scratchDirectory(t)
    const primary = await start(t, 'primary', '--data', join(directory, 'primary'))
    const one = await start(t, 'replica', '--data', join(directory, 'one'), '--from', primary.url)
    const two = await start(t, 'replica', '--data', join(directory, 'two'), '--from', primary.url)
    await primary.client.execute('local', [{ createTable: { table: TABLE } }])

    const acknowledged: number[] = []
    const codes = new Set<string>()
    let writing = true
    let id = 0
    const write = async (): Promise<void> => {
      while (writing) {
        const own = ++id
        try {
          await primary.client.execute('local', [{ insert: { table: 'entries', rows: [{ id: own }] } }])
          acknowledged.push(own)
        } catch (error) {
          if (!isReplogError(error)) throw error
          codes.add(error.code)
          await delay(5)
        }
      }
    }
    const writers = [write(), write(), write(), write()]
    await until(() => acknowledged.length >= 100)

    const ran = await replog('promote', one.url, '--json')
    writing = false
    await Promise.all(writers)
    t.equal(ran.code, 0, ran.stderr)
    t.match(JSON.parse(ran.stdout), { epoch: 2, fenced: primary.url })
    t.same([...codes], ['FENCED'], 'the old primary refused, and nothing was left unknown')
    t.match(await primary.client.status(), { healthy: false, fencedBy: { epoch: 2, primary: one.url } })
    t.match(await one.client.status(), { role: 'primary', epoch: 2, healthy: true }, 'at the same address')

    const rows: unknown[] = []
    for await (const row of one.client.rows('local', { schema: 'test', table: 'entries' })) rows.push(row)
    const kept = new Set(rows.map((row) => Number((row as { id: string }).id)))
    t.same(
      acknowledged.filter((own) => !kept.has(own)),
      [],
      'every acknowledged row is there',
    )

    t.equal((await replog('follow', two.url, '--from', one.url)).code, 0)
    await one.client.execute('local', [{ insert: { table: 'entries', rows: [{ id: 1_000_000 }] } }])
    const { lsn } = await one.client.status()
    await until(async () => (await two.client.status()).lsn === lsn)
    t.match((await two.client.status()).replication, { from: one.url, state: 'streaming', error: null })

    const refused = await replog('promote', one.url)
    t.equal(refused.code, 1)
    t.match(refused.stderr, /the primary of epoch 2 already/)
    const fenced = await replog('promote', primary.url)
    t.match(fenced.stderr, /PROMOTION_REFUSED[^]*replog rejoin --from/)
    t.equal((await replog('follow', one.url, '--from', two.url)).code, 1, 'a primary follows nobody')

    await one.stop()
    const again = await start(t, 'primary', '--data', join(directory, 'one'))
    t.match(await again.client.status(), { role: 'primary', epoch: 2 })
  },
)

void t.test('with the primary gone the replica takes over, and serves sessions', async (t) => {
  const directory = scratchDirectory(t)
  const primary = await start(t, 'primary', '--data', join(directory, 'primary'))
  const replica = await start(t, 'replica', '--data', join(directory, 'replica'), '--from', primary.url)
  await primary.client.execute('local', [{ createTable: { table: TABLE } }])
  const { lsn } = await primary.client.status()
  await until(async () => (await replica.client.status()).lsn === lsn)
  await primary.kill()
  const ran = await replog('promote', replica.url)
  t.equal(ran.code, 0, ran.stderr)
  t.match(ran.stdout, /is the primary of epoch 2[^]*was not reached/)
  const client = await Client.connect(replica.url)
  t.teardown(() => client.close({ timeoutMs: 0 }))
  await client.transaction(async (tx) => {
    await tx.insert('entries', { id: 1 })
  })
  await replica.stop()
  t.equal(await replica.gone, 0, 'SIGTERM drains a promoted server, too')
})
