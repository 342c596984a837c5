/** What a rejoin must not undo, and that what it undoes is kept whole. (G2, G8) */
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../core/clock.js'
import type { Lsn } from '../../core/position.js'
import { CLUSTER_ID_META } from '../../log/identity.js'
import { Primary } from '../../primary/primary.js'
import { Store } from '../../store/store.js'
import { openExtraFile } from '../../tools/rejoin/extra-file.js'
import { UndoPlan } from '../../tools/rejoin/plan.js'
import { rejoin } from '../../tools/rejoin/rejoin.js'
import { StoredLog } from '../../tools/rejoin/stored-log.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { serve } from '../replication/linked-pair.js'
import { caughtUp, differingKeys, makePair, peerOf } from './rejoining.js'

void t.test('what another replica of the same epoch merely has not yet is not undone', async (t) => {
  const pair = await makePair(t)
  const server = await serve(t, { path: '/primary', engine: pair.primary.crash() })
  await server.primary.catalog().execute([{ update: { table: 'items', key: { id: 2 }, set: { serial: 1 } } }])
  const ahead = await caughtUp(t, pair.replica.crash(), server)
  const behind = await Primary.open({ path: '/primary', engine: pair.primary.crash() })
  t.teardown(() => behind.close())
  const engine = ahead.crash()
  const lagging = peerOf(behind, 'replica')
  for (const dryRun of [true, false]) {
    await t.rejects(rejoin({ path: '/replica', engine: engine.crash(), peer: lagging, dryRun }), {
      code: 'UPSTREAM_BEHIND',
      message: /1 transactions more.*Rejoin from the primary/s,
    })
  }
  const refused = ahead.crash()
  await t.rejects(rejoin({ path: '/replica', engine: refused, peer: lagging }))
  t.same(await differingKeys(ahead.crash(), refused.crash()), [], 'nothing was changed')
  const parted = await rejoin({ path: '/replica', engine: ahead.crash(), peer: peerOf(behind) })
  t.match(parted, { transactions: 1 }, 'the primary of the epoch decides')
})

void t.test('what is undone is kept whole by a device that takes a part of each write', async (t) => {
  const { primary } = await makePair(t)
  const directory = scratchDirectory(t)
  const store = new Store({
    engine: primary.crash(),
    clock: systemClock,
    path: directory,
    freeBytes: () => Promise.resolve(Infinity),
  })
  await store.start()
  t.teardown(() => store.close())
  const log = new StoredLog(store, store.get(CLUSTER_ID_META)!)
  const head = await log.head()
  const fork = await log.positionAt((head.lsn - 3n) as Lsn)
  const probe = await open(join(directory, 'probe'), 'w')
  const handles = Object.getPrototypeOf(probe) as { write: (data: string) => Promise<unknown> }
  await probe.close()
  const { write } = handles
  handles.write = function (data) {
    return write.call(this, data.slice(0, data.length / 2))
  }
  t.teardown(() => (handles.write = write))
  const file = await openExtraFile(store, directory, fork)
  await new UndoPlan(store).take(log, fork, (stored) => file.add(stored))
  const lines = (await readFile(await file.end(), 'utf8')).split('\n')
  t.equal(lines.pop(), '', 'the last line is whole')
  t.equal(lines.length, 3)
  for (const line of lines) t.ok((JSON.parse(line) as { readonly frames: string[] }).frames.length > 0)
})
