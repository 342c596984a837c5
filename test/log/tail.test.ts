/** G3: the tail is a gapless run of the newest transactions; its memory is bounded whatever their size. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import t from 'tap'
import { LOG_TAIL_PAGE_BYTES } from '../../core/limits.js'
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

void t.test(
  'runs from any segment on are the frames as they came, small and large, while the tail goes on',
  async () => {
    const sizes = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(LOG_TAIL_PAGE_BYTES / 3))
    const transactions = fc.array(fc.array(sizes, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(
        transactions,
        fc.nat(),
        fc.integer({ min: 1, max: 2 * LOG_TAIL_PAGE_BYTES }),
        (model, seed, target) => {
          const tail = new LogTail(LOG_TAIL_PAGE_BYTES * 3)
          const frames = model.map((each, lsn) =>
            each.map((bytes, segment) => Buffer.alloc(bytes, `${lsn}/${segment},`)),
          )
          const handedOut: [run: Buffer, copy: Buffer][] = []
          for (const [index, each] of frames.entries()) {
            const bytes = each.reduce((sum, frame) => sum + frame.length, 0)
            tail.push({ lsn: BigInt(index + 1) as Lsn, frames: each, bytes, commitTimestampUs: 0n })
            assert.ok(tail.bytes <= LOG_TAIL_PAGE_BYTES * 3 || tail.size === 1)
            const first = Number(tail.firstLsn)
            const start = first + (seed % tail.size)
            assert.deepEqual(tail.get(BigInt(start) as Lsn)?.frames, frames[start - 1])
            const from = seed % frames[start - 1]!.length
            let [lsn, segment] = [start, from]
            const read: Buffer[] = []
            while (lsn <= index + 1) {
              const run = tail.run(BigInt(lsn) as Lsn, segment, target)!
              assert.ok(run.frames > 0)
              lsn += run.transactions
              segment = run.segmentsBehind
              read.push(run.bytes)
              handedOut.push([run.bytes, Buffer.from(run.bytes)])
            }
            assert.ok(
              Buffer.concat(read).equals(
                Buffer.concat(
                  frames
                    .slice(start - 1, index + 1)
                    .flat()
                    .slice(from),
                ),
              ),
            )
            assert.equal(tail.run(BigInt(first - 1) as Lsn, 0, target), undefined)
            assert.equal(tail.run(BigInt(index + 2) as Lsn, 0, target), undefined)
          }
          for (const [run, copy] of handedOut) assert.ok(run.equals(copy), 'what was handed out stays as it was')
        },
      ),
      { numRuns: 60 },
    )
  },
)

void t.test('what has left it is not kept in memory', async (t) => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const tail = new LogTail(4 * 1024 * 1024)
  const frames: WeakRef<Buffer>[] = []
  for (let lsn = 1; lsn <= 100; lsn++) {
    const pushed = entry(lsn, 1024 * 1024)
    frames.push(new WeakRef(pushed.frames[0]!))
    tail.push(pushed)
  }
  await setImmediate()
  gc()
  await setImmediate()
  gc()
  const alive = frames.filter((reference) => reference.deref() !== undefined).length
  t.ok(alive <= tail.size + 1, `${alive} frames are alive, ${tail.size} are in the tail`)
})
