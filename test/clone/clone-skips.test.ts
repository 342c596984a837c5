/** G8: a replica that was told to skip transactions is not copied, because the copy would not say so; a primary is. */
import t from 'tap'
import { SKIPS_META } from '../../log/skips.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { openSnapshotStream } from '../../log/snapshot/donor.js'
import { cloneInto } from '../../replica/clone.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { WriteSet } from '../../store/write-set.js'
import { follow, serve } from '../replication/linked-pair.js'
import { sourceOf } from './sources.js'

const REFUSED = { code: 'DIVERGED', message: /told to skip transactions.*copy the primary/ }
const SKIPS = [{ lsn: '2', position: '1.2.00', by: 'operator', reason: 'test', at: '2026-01-01T00:00:00Z' }]

async function noteSkip(state: ReplicatedState): Promise<void> {
  const writes = new WriteSet()
  writes.put(SKIPS_META, Buffer.from(JSON.stringify(SKIPS)))
  await state.appendLocal(writes)
}

void t.test('a skip that is noted before or during the copy', async (t) => {
  const { primary, url } = await serve(t, { path: 'primary', engine: new MemoryEngine() })
  await primary.createCatalog('other')
  const replica = await follow(t, { path: 'replica', from: url, engine: new MemoryEngine() })
  await replica.waitFor(primary.position.lsn)
  const { state } = replica
  const copied = await cloneInto(new MemoryEngine(), { source: sourceOf(() => state) })
  t.equal(copied.lsn, primary.position.lsn, 'one that skipped nothing is copied')

  const { chunks, end } = await openSnapshotStream(state, { name: 'under way' })
  t.equal((await chunks.next()).done, false)
  await noteSkip(state)
  await t.rejects(async () => {
    for await (const _chunk of chunks);
  }, REFUSED)
  end()
  await t.rejects(openSnapshotStream(state, { name: 'later' }), REFUSED)
  await t.rejects(cloneInto(new MemoryEngine(), { source: sourceOf(() => state) }), REFUSED)
  t.same(state.snapshots.list(), [])
})

void t.test('what a primary skipped before it was one is no obstacle', async (t) => {
  const { primary } = await serve(t, { path: 'primary', engine: new MemoryEngine() })
  await noteSkip(primary.state)
  const copied = await cloneInto(new MemoryEngine(), { source: sourceOf(() => primary.state) })
  t.equal(copied.lsn, primary.position.lsn)
})
