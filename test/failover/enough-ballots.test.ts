/**
 * Automatic failover when too many are gone. G2: who may lack what was confirmed does not take over; who has it does, when it
 * is back.
 */
import { join } from 'node:path'
import t from 'tap'
import { startNats } from '../nats/nats-server.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { until } from '../replication/until.js'
import { type ServerProcess, start } from './servers.js'
import { ENTRIES, LEASE_MS, Writers, check, untilPrimary } from './writers.js'

t.setTimeout(170_000)

void t.test(
  'a replica that may lack what was confirmed does not take over, however long the others are gone',
  async (t) => {
    const nats = await startNats(t)
    if (nats === undefined) return
    const directory = scratchDirectory(t)
    const witness = ['--auto-failover', '--nats', nats.url, '--lease-ms', String(LEASE_MS)]
    const primary = await start(t, 'primary', '--data', join(directory, 'a'), ...witness)
    await untilPrimary([primary], 1)
    await primary.client.execute('local', [{ createTable: { table: ENTRIES } }])
    const ahead = await start(t, 'replica', '--data', join(directory, 'b'), '--from', primary.url, ...witness)
    const replica = (name: string): Promise<ServerProcess> =>
      start(t, 'replica', '--data', join(directory, name), '--from', primary.url, ...witness)
    const leaving = await replica('c')
    const writers = new Writers([primary])
    await writers.more(20, 1)
    await leaving.kill()
    await writers.more(50, 1)
    await Promise.all([primary.kill(), ahead.kill()])
    const behind = await replica('c')
    // Whether it had left the record when the primary was killed is a matter of time.
    await until(async function itSaysWhyItWaits() {
      const { failover } = await behind.client.status()
      return failover?.abandoned === true && /it is no member|1 of 2 replicas that are needed/.test(failover.step)
    })
    const back = await start(t, 'replica', '--data', join(directory, 'b'), '--from', primary.url, ...witness)
    t.equal((await untilPrimary([behind, back], 2)).url, back.url, 'the one that has everything')
    writers.add(back)
    await writers.more(10, 2)
    await writers.stop()
    await check(t, writers, back)
  },
)
