/** The wire primitives against protobufjs, and against bytes that are no protobuf. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import * as wire from '../../log/codec/wire.js'

const room = Buffer.alloc(512)

function written(write: (buffer: Buffer, offset: number) => number): string {
  room.fill(0xaa)
  const end = write(room, 1)
  assert.equal(room[0], 0xaa, 'nothing is written before the offset')
  assert.equal(room[end], 0xaa, 'nothing is written behind the end')
  return room.subarray(1, end).toString('hex')
}

function hex(writer: protobuf.Writer): string {
  return Buffer.from(writer.finish()).toString('hex')
}

const EDGES = [0n, 1n, 7n, 8n, 14n, 21n, 28n, 31n, 32n, 33n, 34n, 35n, 36n, 42n, 49n, 52n, 53n, 56n, 62n, 63n, 64n]
const uint64s = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(...EDGES.flatMap((bits) => [2n ** bits - 1n, 2n ** bits % 2n ** 64n])),
)

t.test('64-bit integers of every length have the bytes and the size that protobufjs gives them', (t) => {
  fc.assert(
    fc.property(uint64s, (unsigned) => {
      const signed = BigInt.asIntN(64, unsigned)
      const uint64 = written((buffer, offset) => wire.writeUint64(buffer, offset, unsigned))
      const sint64 = written((buffer, offset) => wire.writeSint64(buffer, offset, signed))
      t.equal(uint64, hex(protobuf.Writer.create().uint64(unsigned.toString() as unknown as number)))
      t.equal(sint64, hex(protobuf.Writer.create().sint64(signed.toString() as unknown as number)))
      t.equal(wire.uint64Size(unsigned), uint64.length / 2)
      t.equal(wire.sint64Size(signed), sint64.length / 2)
      const reader = new wire.WireReader().reset(Buffer.from(uint64 + sint64, 'hex'))
      t.equal(reader.uint64(), unsigned)
      t.equal(reader.sint64(), signed)
      t.notOk(reader.more())
      t.equal(wire.joinSigned(wire.lowHalf(signed), wire.highHalf(signed)), signed)
      t.equal(BigInt(wire.joinInteger(wire.lowHalf(signed), wire.highHalf(signed))), signed)
    }),
    { numRuns: 500 },
  )
  t.end()
})

t.test('32-bit and safe integers have the bytes and the size that protobufjs gives them', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.maxSafeInteger(), (int32, safe) => {
      const uint32 = written((buffer, offset) => wire.writeVarint(buffer, offset, int32 >>> 0))
      const sint32 = written((buffer, offset) => wire.writeSint32(buffer, offset, int32))
      t.equal(uint32, hex(protobuf.Writer.create().uint32(int32 >>> 0)))
      t.equal(sint32, hex(protobuf.Writer.create().sint32(int32)))
      t.equal(wire.varintSize(int32 >>> 0), uint32.length / 2)
      t.equal(wire.sint32Size(int32), sint32.length / 2)
      const reader = new wire.WireReader().reset(Buffer.from(uint32 + sint32, 'hex'))
      t.equal(reader.uint32(), int32 >>> 0)
      t.equal(reader.sint32(), int32)
      const magnitude = Math.abs(safe)
      t.equal(
        written((buffer, offset) => wire.writeVarint(buffer, offset, magnitude)),
        written((buffer, offset) => wire.writeUint64(buffer, offset, BigInt(magnitude))),
      )
      t.equal(wire.varintSize(magnitude), wire.uint64Size(BigInt(magnitude)))
      t.equal(
        written((buffer, offset) => wire.writeSint64Number(buffer, offset, safe)),
        written((buffer, offset) => wire.writeSint64(buffer, offset, BigInt(safe))),
      )
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('strings, bytes and doubles have the bytes that protobufjs gives them', (t) => {
  const strings = fc.oneof(fc.string({ maxLength: 150 }), fc.string({ unit: 'binary', maxLength: 100 }))
  fc.assert(
    fc.property(strings, fc.uint8Array({ maxLength: 300 }), fc.double(), (text, bytes, number) => {
      const string = written((buffer, offset) => wire.writeString(buffer, offset, text))
      t.equal(string, hex(protobuf.Writer.create().string(text)))
      t.equal(wire.stringSize(text), string.length / 2)
      t.ok(wire.stringSizeMax(text) >= string.length / 2)
      const delimited = written((buffer, offset) => wire.writeBytes(buffer, offset, bytes))
      t.equal(delimited, hex(protobuf.Writer.create().bytes(bytes)))
      t.equal(wire.delimitedSize(bytes.length), delimited.length / 2)
      const double = written((buffer, offset) => wire.writeDouble(buffer, offset, number))
      t.equal(double, hex(protobuf.Writer.create().double(number)))
      const reader = new wire.WireReader().reset(Buffer.from(string + delimited + delimited + double, 'hex'))
      t.equal(reader.string(), text)
      t.ok(Buffer.from(bytes).equals(reader.bytesView()))
      t.ok(Buffer.from(bytes).equals(reader.bytesCopy()))
      t.ok(Object.is(reader.double(), number))
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('a string longer than any shortcut keeps its size bound exact', (t) => {
  const text = 'ä€😀'.repeat(1000)
  t.equal(wire.stringSizeMax(text), wire.VARINT32_BYTES_MAX + Buffer.byteLength(text))
  t.end()
})

t.test('a reader stays within its range of a larger buffer', (t) => {
  const reader = new wire.WireReader().reset(Uint8Array.from([9, 9, 3, 9, 9]), 2, 3)
  t.equal(reader.uint32(), 3)
  t.notOk(reader.more())
  for (const read of [
    'uint32',
    'uint64',
    'sint32',
    'sint64',
    'bool',
    'double',
    'string',
    'bytesView',
    'tag',
  ] as const) {
    t.throws(() => reader[read](), { code: 'CORRUPT' }, `${read} behind the end`)
  }
  reader.release()
  t.equal(reader.buffer.length, 0, 'a released reader pins nothing')
  t.end()
})

const MALFORMED: Record<string, [string, (reader: wire.WireReader) => unknown]> = {
  'a varint of 11 bytes': ['ffffffffffffffffffff01', (reader) => reader.uint64()],
  'a varint of 65 bits': ['ffffffffffffffffff02', (reader) => reader.uint64()],
  'a varint that is cut off': ['ffff', (reader) => reader.uint64()],
  'a 33-bit integer where 32 are allowed': ['8080808010', (reader) => reader.uint32()],
  'a boolean 2': ['02', (reader) => reader.bool()],
  'a double of 7 bytes': ['00000000000000', (reader) => reader.double()],
  'a string longer than the message': ['0361', (reader) => reader.string()],
  'a string length of 4 GiB': ['ffffffff0f61', (reader) => reader.string()],
  'an overlong UTF-8 form': ['02c080', (reader) => reader.string()],
  'a surrogate in UTF-8': ['03eda080', (reader) => reader.string()],
  'UTF-8 that is cut off, in a long string': [`20${'61'.repeat(31)}c3`, (reader) => reader.string()],
  'field number 0': ['00', (reader) => reader.tag()],
  'a group': [
    '0b',
    (reader) => {
      reader.skip(reader.tag())
    },
  ],
  'wire type 7': [
    '0f',
    (reader) => {
      reader.skip(reader.tag())
    },
  ],
  'a skipped fixed32 that is cut off': [
    '0d000000',
    (reader) => {
      reader.skip(reader.tag())
    },
  ],
}

for (const [name, [bytes, read]] of Object.entries(MALFORMED)) {
  t.test(`G8: ${name} is CORRUPT`, (t) => {
    t.throws(() => read(new wire.WireReader().reset(Buffer.from(bytes, 'hex'))), { code: 'CORRUPT' })
    t.end()
  })
}

t.test('skip passes over exactly one value of each wire type', (t) => {
  const writer = protobuf.Writer.create()
  writer.uint32(0x08).uint64('18446744073709551615')
  writer.uint32(0x11).double(1.5).uint32(0x1a).string('skipped').uint32(0x25).fixed32(7).uint32(0x28).bool(true)
  const reader = new wire.WireReader().reset(writer.finish())
  for (let field = 1; field <= 4; field++) {
    const tag = reader.tag()
    t.equal(tag >>> 3, field)
    reader.skip(tag)
  }
  t.equal(reader.tag(), wire.makeTag(5, wire.WIRE_VARINT))
  t.equal(reader.bool(), true)
  t.end()
})

t.test('G8: reading random bytes throws nothing but CORRUPT, and never moves behind the end', (t) => {
  const reader = new wire.WireReader()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
      reader.reset(bytes)
      try {
        while (reader.more()) {
          const before = reader.position
          reader.skip(reader.tag())
          t.ok(reader.position > before && reader.position <= bytes.length)
        }
      } catch (error) {
        if (!isReplogError(error, 'CORRUPT')) throw error
      }
    }),
    { numRuns: 500 },
  )
  t.end()
})
