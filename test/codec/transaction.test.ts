/** The hand-written codec of `Transaction` against protobufjs, and against bytes that are not a transaction. */
import assert, { AssertionError } from 'node:assert/strict'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { ErrorCode } from '../../core/errors.js'
import { isReplogError } from '../../core/errors.js'
import { asLsn } from '../../core/position.js'
import type { RowChanges, Transaction } from '../../log/codec/message.js'
import { decodeTransaction, encodeTransaction, peekTransaction } from '../../log/codec/transaction-codec.js'
import { protoBytes, protoTransaction, protoType, SAMPLE, text, transaction } from './messages.js'

const STATEMENT_TAG = 0x4a
const UNCUT = Number.MAX_SAFE_INTEGER

function encode(message: Transaction): Buffer {
  const payloads = encodeTransaction(message, 0, UNCUT)
  if (payloads.length !== 1) throw new Error('uncut means one segment')
  return payloads[0]!
}

/** A payload that ends before its first statement. */
const HEAD = encode({ ...SAMPLE, statements: [] })

/** The sample as protobufjs' object, to be bent. */
function sample(): Record<string, unknown> {
  return protoTransaction(SAMPLE) as Record<string, unknown>
}

function refused(t: Test, payload: Uint8Array, code: ErrorCode, message: RegExp): void {
  t.throws(() => decodeTransaction([payload]), { code, message })
}

t.test('the bytes are those that protobufjs writes', async () => {
  fc.assert(
    fc.property(transaction, (message) => {
      assert.equal(encode(message).compare(protoBytes('Transaction', protoTransaction(message))), 0)
    }),
  )
})

t.test('protobufjs reads what was written', async () => {
  const type = protoType('Transaction')
  fc.assert(
    fc.property(transaction, (message) => {
      const plain = type.toObject(type.decode(encode(message)), { longs: BigInt, defaults: true, oneofs: false })
      assert.equal(plain['lsn'], message.lsn)
      assert.equal(plain['startTimestampUs'], message.startTimestampUs)
      assert.equal(plain['commitTimestampUs'], message.commitTimestampUs)
      assert.equal((plain['statements'] as unknown[]).length, message.statements.length)
    }),
  )
})

t.test('what protobufjs wrote is read', async () => {
  fc.assert(
    fc.property(transaction, (message) => {
      const read = decodeTransaction([protoBytes('Transaction', protoTransaction(message))])
      assert.equal(text(read), text(message))
    }),
  )
})

t.test('decoding gives back what was encoded, and encodes to the same bytes', async () => {
  fc.assert(
    fc.property(transaction, (message) => {
      const payload = encode(message)
      const read = decodeTransaction([payload])
      assert.equal(text(read), text(message))
      assert.equal(encode(read).compare(payload), 0)
    }),
  )
})

t.test('a peek sees what a decode sees', async () => {
  fc.assert(
    fc.property(transaction, (message) => {
      const { lsn, epoch, catalogId, commitTimestampUs, segment, lastSegment } = peekTransaction(encode(message))
      assert.deepEqual(
        [lsn, epoch, catalogId, commitTimestampUs, segment, lastSegment],
        [message.lsn, message.epoch, message.catalogId, message.commitTimestampUs, 0, true],
      )
    }),
  )
})

t.test('the headroom is left free and the payload behind it is the same', async () => {
  fc.assert(
    fc.property(transaction, fc.nat(100), (message, headroom) => {
      const [buffer] = encodeTransaction(message, headroom, UNCUT)
      assert.equal(buffer!.subarray(headroom).compare(encode(message)), 0)
    }),
  )
})

t.test('row images are views of the payload, not copies', async (t) => {
  const payload = encode(SAMPLE)
  const [statement] = decodeTransaction([payload]).statements
  const image = (statement as RowChanges).rows[0]!.after!
  t.equal(image.buffer, payload.buffer)
  payload.fill(0xff)
  t.equal(image[0], 0xff)
})

t.test('annotations keep awkward names', async (t) => {
  const annotations = Object.fromEntries([
    ['__proto__', 'p'],
    ['constructor', 'c'],
    ['10', 'ten'],
    ['9', 'nine'],
    ['', ''],
    ['ключ', '\u{1f511}'],
  ])
  const payload = encode({ ...SAMPLE, annotations })
  const read = decodeTransaction([payload])
  t.strictSame(Object.entries(read.annotations!), Object.entries(annotations))
  t.equal(Object.getPrototypeOf(read.annotations), Object.prototype)
  t.equal(encode(read).compare(payload), 0)
})

t.test('integers keep their ends of range', async (t) => {
  for (const lsn of [1n, 127n, 128n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 35n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    t.equal(decodeTransaction([encode({ ...SAMPLE, lsn: asLsn(lsn) })]).lsn, lsn)
  }
  for (const time of [0n, -1n, 1n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
    const read = decodeTransaction([encode({ ...SAMPLE, startTimestampUs: time, commitTimestampUs: -1n - time })])
    t.strictSame([read.startTimestampUs, read.commitTimestampUs], [time, -1n - time])
  }
})

t.test('G8: a damaged payload gives a typed error or another transaction, never anything else', async () => {
  const edit = fc.tuple(fc.nat(), fc.nat(255))
  fc.assert(
    fc.property(transaction, fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(), (message, edits, cut) => {
      const payload = encode(message)
      for (const [at, byte] of edits) payload[at % payload.length] = byte
      const shown = payload.subarray(0, payload.length - (cut % 8))
      for (const read of [() => decodeTransaction([shown]), () => peekTransaction(shown)]) {
        try {
          read()
        } catch (error) {
          if (!isReplogError(error, 'CORRUPT') && !isReplogError(error, 'UNSUPPORTED_VERSION')) throw error
        }
      }
    }),
    { numRuns: 1000 },
  )
})

t.test('TruncationInsideAFieldIsCorrupt', async (t) => {
  const payload = encode(SAMPLE)
  const statementStart = payload.indexOf(STATEMENT_TAG, HEAD.length)
  for (let end = 0; end < payload.length; end++) {
    if (end === statementStart) continue
    const cut = payload.subarray(0, end)
    try {
      const read = decodeTransaction([cut])
      t.equal(read.statements.length, 0, `cut at ${end}`)
      t.ok(end < statementStart, `cut at ${end}`)
    } catch (error) {
      t.ok(isReplogError(error, 'CORRUPT'), `cut at ${end}`)
    }
  }
})

t.test('UnknownStatementKindIsRefusedAsNewer', async (t) => {
  // Field 60 of the oneof, an empty message.
  const future = Buffer.from([STATEMENT_TAG, 3, 0xe2, 0x03, 0])
  refused(t, Buffer.concat([encode(SAMPLE), future]), 'UNSUPPORTED_VERSION', /kind \(field 60\).*upgrade/)
})

t.test('UnknownFieldsArePassedOverAtEveryLevel', async (t) => {
  // Field 30 in four wire types: varint, fixed64, bytes, fixed32.
  const unknown = Buffer.from('f0019601f1010102030405060708f201026869f50101020304', 'hex')
  const delimited = (tag: number, content: Buffer) => Buffer.concat([Buffer.from([tag, content.length]), content])
  const row = Buffer.concat([delimited(0x1a, Buffer.from('0801', 'hex')), unknown])
  const changes = Buffer.concat([Buffer.from('08031001', 'hex'), delimited(0x1a, row), unknown])
  // In a Statement field 30 is taken, so an unknown one is field 60 there.
  const statement = Buffer.concat([delimited(0x0a, changes), Buffer.from('e00305', 'hex')])
  const read = decodeTransaction([Buffer.concat([HEAD, delimited(0x4a, statement), unknown])])
  const after = Buffer.from('0801', 'hex')
  t.equal(
    text(read),
    text({ ...SAMPLE, statements: [{ kind: 'insert', tableId: 3, tableVersion: 1, rows: [{ after }] }] }),
  )
})

/** Payloads with exactly one thing wrong. */
const COUNT = { catalogId: 1, storageId: 2, tableId: 3, rows: 4, digest: Buffer.alloc(8, 5) }

const CORRUPTIONS: Record<string, [Uint8Array, RegExp]> = {
  EmptyPayload: [Buffer.alloc(0), /lacks LSN/],
  NoLsn: [protoBytes('Transaction', { ...sample(), lsn: 0 }), /lacks LSN/],
  NoEpoch: [protoBytes('Transaction', { ...sample(), epoch: 0 }), /lacks LSN/],
  NoOrigin: [protoBytes('Transaction', { ...sample(), originServerId: '' }), /origin/],
  OriginOfFifteenBytes: [protoBytes('Transaction', { ...sample(), originServerId: Buffer.alloc(15) }), /16 bytes/],
  HeadFieldRepeated: [Buffer.concat([Buffer.from([0x08, 9]), HEAD]), /out of order/],
  HeadFieldAfterAStatement: [Buffer.concat([encode(SAMPLE), Buffer.from([0x30, 5])]), /out of order/],
  HeadFieldOfWrongWireType: [Buffer.concat([Buffer.from('0a00', 'hex'), HEAD.subarray(2)]), /wrong wire type/],
  StatementOfWrongWireType: [Buffer.concat([HEAD, Buffer.from([0x48, 1])]), /wrong wire type/],
  LastSegmentIsTwo: [Buffer.concat([HEAD.subarray(0, 5), Buffer.from([2]), HEAD.subarray(6)]), /not a boolean/],
  EpochOver32Bits: [Buffer.concat([HEAD.subarray(0, 2), Buffer.from('108080808010', 'hex')]), /out of range/],
  LsnOver64Bits: [Buffer.from('08ffffffffffffffffff02', 'hex'), /64 bits/],
  FieldNumberZero: [Buffer.concat([HEAD, Buffer.from([0, 0])]), /field number 0/],
  GroupWireType: [Buffer.concat([HEAD, Buffer.from([0xf3, 0x01])]), /wire type 3/],
  EmptyStatement: [protoBytes('Transaction', { ...sample(), statements: [{}] }), /no kind/],
  StatementOfTwoKinds: [Buffer.concat([HEAD, Buffer.from('4a0c0a0408031001120408031001', 'hex')]), /two kinds/],
  KindOfWrongWireType: [Buffer.concat([HEAD, Buffer.from('4a020801', 'hex')]), /wrong wire type/],
  StatementLongerThanItsPayload: [Buffer.concat([HEAD, Buffer.from([0x4a, 100, 0x0a])]), /cut off/],
  RowLongerThanItsStatement: [
    Buffer.concat([HEAD, Buffer.from('4a080a06080310011a7f', 'hex'), Buffer.alloc(200)]),
    /cut off/,
  ],
  NoTableId: [withStatement({ insert: { tableVersion: 1 } }), /lack their table/],
  NoTableVersion: [withStatement({ insert: { tableId: 1 } }), /lack their table/],
  InsertWithoutAfter: [withRow('insert', {}), /insert/],
  InsertWithBefore: [withRow('insert', { before: Buffer.of(1), after: Buffer.of(1) }), /insert/],
  UpdateWithoutAfter: [withRow('update', { before: Buffer.of(1) }), /update/],
  UpdateWithoutBeforeAndKey: [withRow('update', { after: Buffer.of(1) }), /does not say which/],
  DeleteWithoutBeforeAndKey: [withRow('delete', {}), /does not say which/],
  DeleteWithAfter: [withRow('delete', { before: Buffer.of(1), after: Buffer.of(1) }), /delete/],
  CreateTableWithoutTable: [withStatement({ createTable: {} }), /no definition/],
  CreateTableWithEmptyTable: [withStatement({ createTable: { after: {} } }), /lacks an id/],
  CreateSchemaWithEmptySchema: [withStatement({ createSchema: { after: {} } }), /lacks an id/],
  CreateCatalogWithEmptyCatalog: [withStatement({ createCatalog: { after: {} } }), /lacks an id/],
  TwoTablesInOneStatement: [Buffer.concat([HEAD, Buffer.from('4a0652040a000a00', 'hex')]), /two definitions/],
  NewEpochWithoutServer: [withStatement({ newEpoch: { epoch: 2 } }), /an epoch lacks/],
  NewEpochWithoutNumber: [withStatement({ newEpoch: { serverId: Buffer.alloc(16) } }), /an epoch lacks/],
  CountWithoutTable: [withStatement({ verifyMarker: { counts: [{ ...COUNT, tableId: 0 }] } }), /of which table/],
  CountWithoutDigest: [withStatement({ verifyMarker: { counts: [{ ...COUNT, digest: Buffer.alloc(0) }] } }), /digest/],
  CountWithAShortDigest: [
    withStatement({ verifyMarker: { counts: [{ ...COUNT, digest: Buffer.alloc(7) }] } }),
    /digest/,
  ],
  CountOfTooManyRows: [withStatement({ verifyMarker: { counts: [{ ...COUNT, rows: 2 ** 53 }] } }), /too many rows/],
  AnnotationIsNotUtf8: [Buffer.concat([HEAD, Buffer.from('52060a01ff120161', 'hex')]), /UTF-8/],
  AnnotationOfWrongWireType: [Buffer.concat([HEAD, Buffer.from('52020801', 'hex')]), /wrong wire type/],
}

function withStatement(statement: object): Buffer {
  return protoBytes('Transaction', { ...sample(), statements: [statement] })
}

function withRow(kind: string, row: object): Buffer {
  return withStatement({ [kind]: { tableId: 1, tableVersion: 1, rows: [row] } })
}

for (const [name, [payload, message]] of Object.entries(CORRUPTIONS)) {
  t.test(`G8: ${name}IsCorrupt`, async (t) => {
    refused(t, payload, 'CORRUPT', message)
  })
}

t.test('the encoder takes nothing that the decoder would refuse', async (t) => {
  const insert = SAMPLE.statements[0] as RowChanges
  const bent: Record<string, Transaction> = {
    'no LSN': { ...SAMPLE, lsn: asLsn(0n) },
    'a short server id': { ...SAMPLE, originServerId: new Uint8Array(15) },
    'a time over 64 bits': { ...SAMPLE, commitTimestampUs: 2n ** 63n },
    'a catalog id over 32 bits': { ...SAMPLE, catalogId: 2 ** 32 },
    'table id 0': { ...SAMPLE, statements: [{ ...insert, tableId: 0 }] },
    'a fractional version': { ...SAMPLE, statements: [{ ...insert, tableVersion: 1.5 }] },
    'an empty image': { ...SAMPLE, statements: [{ ...insert, rows: [{ after: new Uint8Array(0) }] }] },
    'an insert of nothing': { ...SAMPLE, statements: [{ ...insert, rows: [{}] }] },
    'an update without a key': { ...SAMPLE, statements: [{ ...insert, kind: 'update' }] },
    'a delete that leaves a row': { ...SAMPLE, statements: [{ ...insert, kind: 'delete' }] },
    'a lone surrogate': { ...SAMPLE, annotations: { note: 'a\ud800' } },
  }
  for (const [what, message] of Object.entries(bent)) t.throws(() => encode(message), AssertionError, what)
})
