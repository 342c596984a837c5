/** Frames: every damaged bit is noticed, and a stream splits into the same frames however it is chunked. */
import assert, { AssertionError } from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { FRAME_PAYLOAD_BYTES_MAX } from '../../core/limits.js'
import { asEpoch, asLsn, LSN_MAX } from '../../core/position.js'
import { chainDigest, genesisDigest } from '../../log/codec/digest.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import { FRAME_HEADER_BYTES, readFrame, readWholeFrame, sealFrame } from '../../log/codec/frame.js'
import { sealTransaction } from '../../log/codec/seal.js'
import { SAMPLE, transaction } from './messages.js'

const GENESIS = genesisDigest(Buffer.alloc(16, 1))

const fields = fc.record({
  epoch: fc.nat(0xffff_ffff).map(asEpoch),
  lsn: fc.bigInt({ min: 0n, max: LSN_MAX }).map(asLsn),
  segment: fc.nat(0xffff_ffff),
  lastSegment: fc.boolean(),
})
const payload = fc.uint8Array({ minLength: 1, maxLength: 300 })
const digest = fc.uint8Array({ minLength: 16, maxLength: 16 })

function sampleFrame(): Buffer {
  return Buffer.from(sealTransaction(SAMPLE, GENESIS).frames[0]!)
}

/** The sample frame with bytes changed and the checksum put right again. */
function forged(change: (frame: Buffer) => void): Buffer {
  const frame = sampleFrame()
  change(frame)
  frame.writeUInt32LE(0, 8)
  frame.writeUInt32LE(crc32(frame), 8)
  return frame
}

t.test('a sealed frame reads back', async () => {
  fc.assert(
    fc.property(fields, payload, digest, fc.nat(9), (given, content, previous, offset) => {
      const frame = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES, 0xaa), content])
      const after = sealFrame(frame, given, previous)
      assert.deepEqual(Buffer.from(after), chainDigest(previous, content))
      const read = readFrame(Buffer.concat([Buffer.alloc(offset), frame, Buffer.alloc(5)]), offset)
      assert.ok(read !== undefined)
      const { epoch, lsn, segment, lastSegment } = read
      assert.deepEqual({ epoch, lsn, segment, lastSegment }, { ...given })
      assert.ok(read.payload.equals(content) && read.digest.equals(after) && read.bytes.equals(frame))
    }),
  )
})

t.test('a frame reads from a plain Uint8Array, and its parts are views', async (t) => {
  const bytes = new Uint8Array(sampleFrame())
  const frame = readWholeFrame(bytes)
  t.equal(frame.payload.buffer, bytes.buffer)
  t.equal(frame.lsn, SAMPLE.lsn)
})

t.test('G8: EverySingleBitFlipIsDetected', async () => {
  const good = sampleFrame()
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bad = Buffer.from(good)
    bad[bit >>> 3]! ^= 1 << (bit & 7)
    assert.throws(
      () => readWholeFrame(bad),
      (error) => isReplogError(error, 'CORRUPT') || (bit >>> 3 === 2 && isReplogError(error, 'UNSUPPORTED_VERSION')),
      `bit ${bit}`,
    )
  }
})

t.test('G8: RandomDamageGivesTypedErrorsOnly', async () => {
  const edit = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }))
  fc.assert(
    fc.property(
      transaction,
      fc.uniqueArray(edit, { minLength: 1, maxLength: 4, selector: ([at]) => at }),
      (of, edits) => {
        const good = sealTransaction(of, GENESIS).frames[0]!
        const bad = Buffer.from(good)
        for (const [at, mask] of edits) bad[at % bad.length]! ^= mask
        fc.pre(!bad.equals(good))
        assert.throws(
          () => readWholeFrame(bad),
          (error) => isReplogError(error, 'CORRUPT') || isReplogError(error, 'UNSUPPORTED_VERSION'),
        )
      },
    ),
    { numRuns: 500 },
  )
})

t.test('IncompleteFrameIsAwaited', async (t) => {
  const good = sampleFrame()
  for (let end = 0; end < good.length; end++) {
    if (readFrame(good.subarray(0, end)) !== undefined) t.fail(`a frame in ${end} bytes`)
  }
  t.ok(readFrame(good))
})

t.test('G8: TruncatedStoredFrameIsCorrupt', async (t) => {
  t.throws(() => readWholeFrame(sampleFrame().subarray(0, -1)), { code: 'CORRUPT', message: /cut off/ })
  t.throws(() => readWholeFrame(new Uint8Array(0)), { code: 'CORRUPT', message: /cut off/ })
})

t.test('G8: BytesBehindAStoredFrameAreCorrupt', async (t) => {
  t.throws(() => readWholeFrame(Buffer.concat([sampleFrame(), Buffer.of(0)])), { code: 'CORRUPT', message: /follow/ })
})

t.test('G8: BadMagicIsCorrupt', async (t) => {
  t.throws(() => readFrame(forged((frame) => frame.write('xL'))), { code: 'CORRUPT', message: /not a frame/ })
})

t.test('G8: PayloadLengthOutOfBoundsIsCorruptAtOnce', async (t) => {
  for (const length of [0, FRAME_PAYLOAD_BYTES_MAX + 1, 0xffff_ffff]) {
    const frame = forged((bytes) => bytes.writeUInt32LE(length, 4))
    t.throws(() => readFrame(frame), { code: 'CORRUPT', message: /out of bounds/ })
    t.throws(() => new FrameReader().push(frame.subarray(0, FRAME_HEADER_BYTES)), { code: 'CORRUPT' })
  }
})

t.test('NewerVersionIsRefusedAsNewer', async (t) => {
  t.throws(() => readFrame(forged((frame) => frame.writeUInt8(2, 2))), { code: 'UNSUPPORTED_VERSION' })
})

t.test('G8: VersionZeroIsCorrupt', async (t) => {
  t.throws(() => readFrame(forged((frame) => frame.writeUInt8(0, 2))), { code: 'CORRUPT' })
})

t.test('UnknownFlagIsRefusedAsNewer', async (t) => {
  t.throws(() => readFrame(forged((frame) => frame.writeUInt8(0b11, 3))), { code: 'UNSUPPORTED_VERSION' })
})

t.test('sealing takes no payload that reading would refuse', async (t) => {
  const head = { epoch: SAMPLE.epoch, lsn: SAMPLE.lsn, segment: 0, lastSegment: true }
  t.throws(() => sealFrame(Buffer.alloc(FRAME_HEADER_BYTES), head, GENESIS), AssertionError)
  t.throws(() => sealFrame(Buffer.alloc(FRAME_HEADER_BYTES + 1), head, GENESIS.subarray(1)), AssertionError)
})

t.test('a stream splits into the same frames however it is chunked', async () => {
  const cuts = fc.array(fc.nat(), { maxLength: 12 })
  fc.assert(
    fc.property(fc.array(transaction, { maxLength: 4 }), cuts, fc.integer({ min: 64, max: 400 }), (all, at, target) => {
      const frames = all.flatMap((each) => sealTransaction(each, GENESIS, target).frames)
      const stream = Buffer.concat(frames)
      const places = [...at.map((place) => place % (stream.length + 1)), stream.length].sort((a, b) => a - b)
      const reader = new FrameReader()
      const read: Buffer[] = []
      let start = 0
      for (const end of places) {
        for (const frame of reader.push(stream.subarray(start, end))) read.push(frame.bytes)
        assert.equal(read.reduce((sum, frame) => sum + frame.length, 0) + reader.pendingBytes, end)
        start = end
      }
      reader.end()
      assert.deepEqual(read, frames)
    }),
  )
})

t.test('a stream of single bytes is read', async (t) => {
  const reader = new FrameReader()
  const frame = sampleFrame()
  const read = [...frame].flatMap((byte) => reader.push(Buffer.of(byte)))
  t.equal(read.length, 1)
  t.ok(read[0]!.bytes.equals(frame))
})

t.test('whole frames of a chunk are not copied', async (t) => {
  const chunk = Buffer.concat([sampleFrame(), sampleFrame()])
  for (const frame of new FrameReader().push(chunk)) t.equal(frame.bytes.buffer, chunk.buffer)
})

t.test('G8: StreamThatEndsInsideAFrameIsCorrupt', async (t) => {
  const reader = new FrameReader()
  reader.push(sampleFrame().subarray(0, -1))
  t.throws(
    () => {
      reader.end()
    },
    { code: 'CORRUPT', message: /cut off/ },
  )
})

t.test('G8: DamagedFrameInAStreamIsCorrupt', async (t) => {
  const bad = sampleFrame()
  bad[bad.length - 1]! ^= 1
  t.throws(() => new FrameReader().push(Buffer.concat([sampleFrame(), bad])), { code: 'CORRUPT', message: /checksum/ })
})
