/** G7, G8: what a replica has received comes out as whole transactions, in order and once; a bad frame ends it, not what was before. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { asEpoch, asLsn, LSN_ZERO, type Position } from '../../core/position.js'
import { genesisDigest } from '../../log/codec/digest.js'
import type { Transaction } from '../../log/codec/message.js'
import { sealTransaction } from '../../log/codec/seal.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import type { LogPoint } from '../../log/link/protocol.js'
import { ReceivedLog } from '../../replica/received-log.js'
import { transaction } from '../codec/messages.js'

const START: Position = { epoch: asEpoch(1), lsn: LSN_ZERO, digest: genesisDigest(Buffer.alloc(16)) }
const SERVER = Buffer.alloc(16, 0x51)
const SAMPLE: Transaction = {
  lsn: asLsn(1n),
  epoch: asEpoch(1),
  originServerId: SERVER,
  catalogId: 1,
  startTimestampUs: 1n,
  commitTimestampUs: 1n,
  statements: [{ kind: 'newEpoch', epoch: asEpoch(1), serverId: SERVER }],
}
const START_POINT: LogPoint = { lsn: 0n, bytes: 100n, commitUs: 0n }
/** Small, so that many transactions have several segments. */
const SEGMENT_BYTES = 200

function framesOf(transactions: readonly Transaction[]): Buffer[][] {
  let digest: Uint8Array = START.digest
  return transactions.map((each, index) => {
    const placed = { ...each, lsn: asLsn(BigInt(index + 1)), epoch: asEpoch(1) }
    const sealed = sealTransaction(placed, digest, SEGMENT_BYTES)
    digest = sealed.digest
    return [...sealed.frames]
  })
}

/** Frames in messages of as many as `counts` say, in turns. */
function messagesOf(frames: readonly Buffer[], counts: readonly number[]): Buffer[] {
  const messages: Buffer[] = []
  for (let at = 0, turn = 0; at < frames.length; turn++) {
    const count = counts[turn % counts.length]!
    messages.push(Buffer.concat(frames.slice(at, at + count)))
    at += count
  }
  return messages
}

/** A message without a frame is harmless. */
const counts = fc
  .array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 })
  .filter((each) => each.some((count) => count > 0))

void t.test('transactions come out as they were sealed, however frames and messages are cut', async () => {
  fc.assert(
    fc.property(fc.array(transaction, { maxLength: 8 }), counts, fc.boolean(), (transactions, counts, isEager) => {
      const log = framesOf(transactions)
      const received = new ReceivedLog(START, START_POINT)
      const out: Buffer[][] = []
      const takeOut = (): void => {
        while (received.waiting > 0) {
          const { position, frames, payloads, bytes } = received.next()
          assert.equal(position.lsn, BigInt(out.length + 1))
          assert.equal(bytes, Buffer.concat(frames).length)
          assert.equal(decodeTransaction(payloads).lsn, position.lsn)
          out.push([...frames])
        }
      }
      let taken = 0
      for (const message of messagesOf(log.flat(), counts)) {
        received.take(message)
        taken += message.length
        const outBytes = out.flat().reduce((sum, frame) => sum + frame.length, 0)
        assert.equal(received.waitingBytes, taken - outBytes)
        const whole = log.slice(0, Number(received.end.lsn)).flat()
        assert.equal(received.end.bytes, START_POINT.bytes + BigInt(Buffer.concat(whole).length))
        if (isEager) takeOut()
      }
      takeOut()
      assert.deepEqual(out, log)
      assert.equal(received.waitingBytes, 0)
      assert.equal(received.end.lsn, BigInt(log.length))
    }),
    { numRuns: 60 },
  )
})

void t.test('behind a bad frame nothing is taken in, and what was before it comes out', async () => {
  const log = fc.array(transaction, { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(log, counts, fc.nat(), fc.nat(), fc.nat(7), (transactions, counts, which, where, bit) => {
      const log = framesOf(transactions)
      const flat = log.flat()
      const bad = which % flat.length
      const damaged = Buffer.from(flat[bad]!)
      damaged[where % damaged.length]! ^= 1 << bit
      const received = new ReceivedLog(START, START_POINT)
      const messages = messagesOf(flat.with(bad, damaged), counts)
      assert.throws(
        () => {
          for (const message of messages) received.take(message)
        },
        { name: 'ReplogError' },
      )
      const before = new Set(flat.slice(0, bad))
      const whole = log.filter((frames) => frames.every((frame) => before.has(frame)))
      assert.equal(received.waiting, whole.length)
      assert.equal(received.end.lsn, BigInt(whole.length))
      for (const frames of whole) assert.deepEqual(received.next().frames, frames)
      assert.throws(() => received.next(), { name: 'AssertionError' })
    }),
    { numRuns: 60 },
  )
})

void t.test('a refused frame does not come out when the right one follows it', (t) => {
  const [first, second, third] = framesOf([SAMPLE, SAMPLE, SAMPLE]).map((frames) => Buffer.concat(frames))
  const damaged = Buffer.from(second!)
  damaged[damaged.length - 1]! ^= 1
  for (const bad of [damaged, Buffer.concat([first!, damaged])]) {
    const received = new ReceivedLog(START, START_POINT)
    if (bad === damaged) received.take(first!)
    t.throws(() => received.take(bad), { code: 'CORRUPT' })
    received.take(second!)
    received.take(third!)
    t.equal(received.waiting, 1, 'only what was before the bad one')
    t.equal(received.end.lsn, 1n)
    t.equal(received.waitingBytes, first!.length)
    t.same(Buffer.concat(received.next().frames), first)
    t.equal(received.waiting, 0)
  }
  t.end()
})
