/** Large transactions: how they are cut, and what becomes of segments that do not belong together. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { SEGMENT_BYTES_TARGET } from '../../core/limits.js'
import { asLsn } from '../../core/position.js'
import type { RowChanges, Transaction } from '../../log/codec/message.js'
import { decodeTransaction, encodeTransaction, peekTransaction } from '../../log/codec/transaction-codec.js'
import { SAMPLE_TABLE } from './definitions.js'
import { joined, protoBytes, protoTransaction, protoType, SAMPLE, text, transaction } from './messages.js'

const target = fc.integer({ min: 64, max: 1500 })

/** An insert of `count` rows of `bytes` bytes each. */
function insert(count: number, bytes: number): RowChanges {
  const rows = Array.from({ length: count }, (_, index) => ({ after: Buffer.alloc(bytes, index % 251) }))
  return { kind: 'insert', tableId: 3, tableVersion: 1, rows }
}

function rowsIn(payload: Uint8Array): number {
  const type = protoType('Transaction')
  const { statements } = type.toObject(type.decode(payload)) as { statements?: { insert?: { rows?: unknown[] } }[] }
  return (statements ?? []).reduce((sum, statement) => sum + (statement.insert?.rows?.length ?? 0), 0)
}

t.test('segments hold the statements of the transaction, in order', async () => {
  fc.assert(
    fc.property(transaction, target, (message, bytes) => {
      const read = decodeTransaction(encodeTransaction(message, 0, bytes))
      const whole = (of: Transaction) => text({ ...of, statements: joined(of.statements) })
      assert.equal(whole(read), whole(message))
    }),
  )
})

t.test('a decoded transaction is cut at the same places, so it encodes to the same bytes', async () => {
  fc.assert(
    fc.property(transaction, target, (message, bytes) => {
      const payloads = encodeTransaction(message, 0, bytes)
      assert.deepEqual(encodeTransaction(decodeTransaction(payloads), 0, bytes), payloads)
    }),
  )
})

t.test('each segment repeats the head, is numbered, and the last says so', async () => {
  fc.assert(
    fc.property(transaction, target, (message, bytes) => {
      const payloads = encodeTransaction(message, 0, bytes)
      payloads.forEach((payload, segment) => {
        const { lsn, epoch, catalogId, commitTimestampUs } = message
        const lastSegment = segment === payloads.length - 1
        assert.deepEqual(
          { ...peekTransaction(payload) },
          { ...peekTransaction(payload), lsn, epoch, catalogId, commitTimestampUs, segment, lastSegment },
        )
      })
    }),
  )
})

t.test('each segment is what protobufjs writes for its part', async () => {
  fc.assert(
    fc.property(transaction, target, (message, bytes) => {
      const payloads = encodeTransaction(message, 0, bytes)
      // Each segment alone, made to look like a whole transaction, tells which statements are its part.
      payloads.forEach((payload, segment) => {
        const type = protoType('Transaction')
        const plain = type.toObject(type.decode(payload), { longs: BigInt })
        assert.equal(Buffer.from(type.encode(type.fromObject(plain)).finish()).compare(payload), 0)
        assert.equal(plain['annotations'] === undefined, segment > 0 || message.annotations === undefined)
      })
    }),
  )
})

t.test('a segment exceeds the target only by what cannot be cut', async () => {
  const head = encodeTransaction({ ...SAMPLE, statements: [] })[0]!.length + 8
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 300 }), target, (count, rowBytes, bytes) => {
      const message = { ...SAMPLE, statements: [insert(count, rowBytes), insert(3, 10)] }
      for (const payload of encodeTransaction(message, 0, bytes)) {
        assert.ok(payload.length <= Math.max(bytes, head + rowBytes + 40), `${payload.length} of ${bytes}`)
      }
    }),
  )
})

t.test('what fits the target stays in one segment', async (t) => {
  t.equal(encodeTransaction({ ...SAMPLE, statements: [insert(10_000, 90)] }).length, 1)
})

t.test('three MiB of rows make segments of about one MiB each', async (t) => {
  const payloads = encodeTransaction({ ...SAMPLE, statements: [insert(3072, 1024)] })
  t.equal(payloads.length, 4)
  for (const payload of payloads.slice(0, -1)) {
    t.ok(payload.length <= SEGMENT_BYTES_TARGET && payload.length > SEGMENT_BYTES_TARGET - 2048)
  }
  t.equal(
    payloads.reduce((sum, payload) => sum + rowsIn(payload), 0),
    3072,
  )
})

t.test('a row over the target has a segment of its own', async (t) => {
  const rows = [10, 500, 10].map((bytes) => ({ after: Buffer.alloc(bytes, 1) }))
  const payloads = encodeTransaction({ ...SAMPLE, statements: [{ ...insert(0, 0), rows }] }, 0, 200)
  t.strictSame(payloads.map(rowsIn), [1, 1, 1])
})

t.test('statements without rows are kept, and cut like others', async (t) => {
  const statements = Array.from({ length: 20 }, () => insert(0, 0))
  const payloads = encodeTransaction({ ...SAMPLE, statements }, 0, 200)
  t.ok(payloads.length > 1)
  t.equal(decodeTransaction(payloads).statements.length, 20)
})

t.test('definitions are cut between, never inside', async (t) => {
  const create = { kind: 'createTable', after: SAMPLE_TABLE } as const
  const payloads = encodeTransaction({ ...SAMPLE, statements: [create, create, insert(1, 10), create] }, 0, 100)
  t.equal(payloads.length, 4)
  t.equal(text(decodeTransaction(payloads).statements), text([create, create, insert(1, 10), create]))
})

const SEGMENTS = encodeTransaction({ ...SAMPLE, statements: [insert(30, 20)], annotations: { why: 'test' } }, 0, 300)

function other(change: Partial<Transaction>): Buffer {
  return encodeTransaction({ ...SAMPLE, ...change, statements: [insert(30, 20)] }, 0, 300)[1]!
}

t.test('the segments to be damaged are good ones', async (t) => {
  t.equal(SEGMENTS.length, 4)
  t.equal(joined(decodeTransaction(SEGMENTS).statements).length, 1)
})

const [S0, S1, S2, S3] = SEGMENTS as [Buffer, Buffer, Buffer, Buffer]

/** Sequences of segments with exactly one thing wrong. */
const CORRUPTIONS: Record<string, Uint8Array[]> = {
  MissingFirstSegment: [S1, S2, S3],
  MissingMiddleSegment: [S0, S2, S3],
  MissingLastSegment: [S0, S1, S2],
  SwappedSegments: [S0, S2, S1, S3],
  RepeatedSegment: [S0, S1, S1, S2, S3],
  SegmentAfterTheLast: [S0, S1, S2, S3, S3],
  SegmentOfAnotherLsn: [S0, other({ lsn: asLsn(8n) }), S2, S3],
  SegmentOfAnotherServer: [S0, other({ originServerId: new Uint8Array(16) }), S2, S3],
  SegmentOfAnotherCatalog: [S0, other({ catalogId: 2 }), S2, S3],
  SegmentOfAnotherTime: [S0, other({ commitTimestampUs: 1n }), S2, S3],
  AnnotationsInALaterSegment: [
    S0,
    S1,
    S2,
    protoBytes('Transaction', { ...protoTransaction({ ...SAMPLE, annotations: { a: 'b' } }, 3) }),
  ],
}

for (const [name, segments] of Object.entries(CORRUPTIONS)) {
  t.test(`G8: ${name}IsCorrupt`, async (t) => {
    t.throws(() => decodeTransaction(segments), { code: 'CORRUPT' })
  })
}
