/** G3: the tail is a gapless run of the newest transactions; its memory is bounded whatever their size. */
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import type { Lsn } from '../../core/position.js'
import { LogTail, type TailEntry } from '../../log/tail.js'

function entry(lsn: number, bytes: number): TailEntry {
  return { lsn: BigInt(lsn) as Lsn, frames: [Buffer.alloc(bytes, lsn)], bytes, commitTimestampUs: BigInt(lsn) }
}

void t.test('it holds the newest entries within its bound, and always the newest one', (t) => {
  const tail = new LogTail(1000)
  t.equal(tail.get(1n as Lsn), undefined)
  t.equal(tail.firstLsn, 0n)
  for (let lsn = 7; lsn <= 40; lsn++) {
    tail.push(entry(lsn, 100))
    const first = Math.max(7, lsn - 9)
    t.equal(tail.firstLsn, BigInt(first))
    t.equal(tail.size, lsn - first + 1)
    t.equal(tail.bytes, tail.size * 100)
    t.equal(tail.get(BigInt(lsn) as Lsn)?.commitTimestampUs, BigInt(lsn))
    t.equal(tail.get(BigInt(first - 1) as Lsn), undefined)
    t.equal(tail.get(BigInt(lsn + 1) as Lsn), undefined)
  }
  tail.push(entry(41, 5000))
  t.equal(tail.size, 1)
  t.equal(tail.get(41n as Lsn)?.bytes, 5000)
  tail.push(entry(42, 10))
  t.equal(tail.size, 1, 'the large one went')
  t.throws(() => tail.push(entry(44, 10)), /gapless/)
  t.end()
})

void t.test('what has left it is not kept in memory', async (t) => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const tail = new LogTail(4 * 1024 * 1024)
  const entries: WeakRef<TailEntry>[] = []
  for (let lsn = 1; lsn <= 100; lsn++) {
    const pushed = entry(lsn, 1024 * 1024)
    entries.push(new WeakRef(pushed))
    tail.push(pushed)
  }
  await setImmediate()
  gc()
  await setImmediate()
  gc()
  const alive = entries.filter((reference) => reference.deref() !== undefined).length
  t.ok(alive <= tail.size + 1, `${alive} entries are alive, ${tail.size} are in the tail`)
})
