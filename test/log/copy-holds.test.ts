/** G9: a copy holds the log back from its beginning to a while after its end, however short it was. */
import t from 'tap'
import { LOG_HOLDERS_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import type { RetentionHolder } from '../../log/purge/retention.js'
import { openSnapshotStream } from '../../log/snapshot/donor.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { advancing, commitUpTo, openPrimary } from './purged-log.js'

const HOUR = 3_600_000

void t.test('a copy that ended between two checks holds the log back for an hour', async (t) => {
  const clock = new ManualClock()
  const primary = await openPrimary(new MemoryEngine(), { clock })
  t.teardown(() => primary.close())
  await commitUpTo(primary, 10n)
  const { chunks, end } = await openSnapshotStream(primary.state, { name: 'short' })
  for await (const _chunk of chunks);
  end()
  await commitUpTo(primary, 20n)
  const held = await advancing(clock, primary.purgeLog({ keepBytes: 0 }))
  t.equal(held.floor.lsn, 10n)
  t.match(held.heldBack, [{ name: /^copy for short, begun at / }])
  await clock.advance(HOUR + 10_000)
  t.equal((await advancing(clock, primary.purgeLog({ keepBytes: 0 }))).floor.lsn, 20n)
})

void t.test(
  'more holders than are known at a time: those that are gone and count the shortest are forgotten',
  async (t) => {
    const clock = new ManualClock()
    const primary = await openPrimary(new MemoryEngine(), { clock })
    t.teardown(() => primary.close())
    await commitUpTo(primary, 20n)
    const { retention } = primary.purger
    const away: RetentionHolder[] = [{ name: 'replica away', lsn: 4n as Lsn }]
    retention.add(() => away, 24 * HOUR)
    retention.holders()
    away.pop()
    await clock.advance(1)
    retention.add(() => [{ name: 'replica here', lsn: 3n as Lsn }], 1)
    const copies: RetentionHolder[] = []
    retention.add(() => copies, HOUR)
    for (let at = 0; at < LOG_HOLDERS_MAX; at++) {
      copies[0] = { name: `copy ${at}`, lsn: 15n as Lsn }
      retention.holders()
      await clock.advance(1)
    }
    const names = new Set(retention.holders().map(({ name }) => name))
    t.equal(names.size, LOG_HOLDERS_MAX)
    t.ok(names.has('replica here'), 'who is there stays')
    t.ok(names.has('replica away'), 'who is waited for longest stays')
    t.notOk(names.has('copy 0') || names.has('copy 1'))
    t.ok(names.has('copy 2'))
    t.equal(retention.lowest(), 3n)
  },
)
