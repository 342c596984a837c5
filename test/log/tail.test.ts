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

/** A group of its own. */
function push(tail: LogTail, entry: TailEntry): void {
  tail.stage(entry)
  tail.publish({ ...entry, transactions: 1 })
}

void t.test('it holds the newest entries within its bound, and always the newest one', (t) => {
  const tail = new LogTail(1000)
  t.equal(tail.get(1n as Lsn), undefined)
  t.equal(tail.firstLsn, 0n)
  for (let lsn = 7; lsn <= 40; lsn++) {
    push(tail, entry(lsn, 100))
    const first = Math.max(7, lsn - 9)
    t.equal(tail.firstLsn, BigInt(first))
    t.equal(tail.size, lsn - first + 1)
    t.equal(tail.bytes, tail.size * 100)
    t.equal(tail.get(BigInt(lsn) as Lsn)?.commitTimestampUs, BigInt(lsn))
    t.equal(tail.get(BigInt(first - 1) as Lsn), undefined)
    t.equal(tail.get(BigInt(lsn + 1) as Lsn), undefined)
  }
  push(tail, entry(41, 5000))
  t.equal(tail.size, 1)
  t.equal(tail.get(41n as Lsn)?.bytes, 5000)
  push(tail, entry(42, 10))
  t.equal(tail.size, 1, 'the large one went')
  t.throws(() => tail.stage(entry(44, 10)), /gapless/)
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
            push(tail, { lsn: BigInt(index + 1) as Lsn, frames: each, bytes, commitTimestampUs: 0n })
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

void t.test('G2: what is only staged is not shown, not even behind what is', (t) => {
  const tail = new LogTail()
  for (let lsn = 7; lsn <= 12; lsn++) tail.stage(entry(lsn, 100))
  t.same([tail.size, tail.bytes, tail.firstLsn], [0, 0, 0n])
  t.equal(tail.get(7n as Lsn), undefined)
  t.equal(tail.run(7n as Lsn, 0, 1000), undefined)
  tail.publish({ lsn: 8n as Lsn, commitTimestampUs: 8n, transactions: 2, bytes: 200 })
  t.same([tail.size, tail.bytes, tail.firstLsn], [2, 200, 7n])
  t.equal(tail.get(9n as Lsn), undefined)
  t.match(tail.run(7n as Lsn, 0, 1000), { frames: 2, transactions: 2, segmentsBehind: 0 })
  t.throws(() => tail.publish({ lsn: 12n as Lsn, commitTimestampUs: 12n, transactions: 3, bytes: 300 }), /whole and in/)
  tail.publish({ lsn: 12n as Lsn, commitTimestampUs: 12n, transactions: 4, bytes: 400 })
  t.equal(tail.run(8n as Lsn, 0, 1000)?.frames, 5)
  t.end()
})

void t.test('what has left it is not kept in memory', async (t) => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const tail = new LogTail(4 * 1024 * 1024)
  const frames: WeakRef<Buffer>[] = []
  for (let lsn = 1; lsn <= 100; lsn++) {
    const pushed = entry(lsn, 1024 * 1024)
    frames.push(new WeakRef(pushed.frames[0]!))
    push(tail, pushed)
  }
  await setImmediate()
  gc()
  await setImmediate()
  gc()
  const alive = frames.filter((reference) => reference.deref() !== undefined).length
  t.ok(alive <= tail.size + 1, `${alive} frames are alive, ${tail.size} are in the tail`)
})
