/** The grammar of every key: exact bytes, order of bytes = order of meaning, ranges that hold what they name. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { LSN_MAX, type Lsn } from '../../core/position.js'
import * as keys from '../../store/keys.js'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const lsn = fc.bigInt({ min: 0n, max: LSN_MAX }) as fc.Arbitrary<Lsn>
const bytes = fc.uint8Array({ maxLength: 6 }).map((array) => Buffer.from(array))

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}

void t.test('the bytes of every kind of key are fixed: stores on disk depend on them', async (t) => {
  t.equal(hex(keys.metaKey('é')), '4dc3a9')
  t.equal(hex(keys.catalogKey('a')), '446361')
  t.equal(hex(keys.schemaKey(1, 'b')), '44730000000162')
  t.equal(hex(keys.tableKey(1, 2, 'c')), '4474000000010000000263')
  t.equal(hex(keys.tableVersionKey(0xffff_fffe, 3)), '4476fffffffe00000003')
  t.equal(hex(keys.statsKey(5)), '5400000005')
  t.equal(hex(keys.logKey(0x0102_0304_0506_0708n as Lsn, 9)), '4c010203040506070800000009')
  t.equal(hex(keys.rowPrefix(5)), '5200000005')
  t.equal(hex(keys.indexPrefix(5, 6)), '490000000500000006')
  t.equal(hex(keys.jobKey('p', 7n)), '4a700000000000000007')
})

void t.test('log keys are ordered by LSN, then by segment, and parse back', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(lsn, u32, lsn, u32, (leftLsn, leftSegment, rightLsn, rightSegment) => {
        const left = keys.logKey(leftLsn, leftSegment)
        const right = keys.logKey(rightLsn, rightSegment)
        const order = leftLsn === rightLsn ? Math.sign(leftSegment - rightSegment) : leftLsn < rightLsn ? -1 : 1
        assert.equal(Buffer.compare(left, right), order)
        assert.deepEqual(keys.parseLogKey(left), { lsn: leftLsn, segment: leftSegment })
      }),
    )
  })
})

void t.test('texts are ordered as the keys are, and lead back to them', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(bytes, bytes, (left, right) => {
        const [leftText, rightText] = [keys.keyText(left), keys.keyText(right)]
        assert.equal(leftText < rightText ? -1 : leftText > rightText ? 1 : 0, Buffer.compare(left, right))
        assert.deepEqual(keys.keyBytes(leftText), left)
      }),
    )
  })
})

void t.test('a prefix range holds exactly the keys with the prefix', async (t) => {
  const prefix = bytes.filter((buffer) => buffer.some((byte) => byte !== 0xff))
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(prefix, bytes, bytes, (prefix, tail, other) => {
        const { from, to } = keys.prefixRange(prefix)
        const holds = (key: Buffer) => Buffer.compare(key, from) >= 0 && Buffer.compare(key, to) < 0
        assert.ok(holds(Buffer.concat([prefix, tail])))
        assert.equal(holds(other), other.subarray(0, prefix.length).equals(prefix))
      }),
    )
  })
  t.throws(() => keys.successor(Buffer.from([0xff, 0xff])), { name: 'AssertionError' })
})

void t.test('a log range holds the frames from its first LSN to before its last, or to the end', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(lsn, lsn, lsn, u32, (from, to, at, segment) => {
        const key = keys.logKey(at, segment)
        const bounded = keys.logRange(from, to)
        const open = keys.logRange(from)
        assert.equal(
          Buffer.compare(key, bounded.from) >= 0 && Buffer.compare(key, bounded.to) < 0,
          at >= from && at < to,
        )
        assert.equal(Buffer.compare(key, open.from) >= 0 && Buffer.compare(key, open.to) < 0, at >= from)
      }),
    )
  })
})

void t.test('row, index and job keys parse back', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(u32, u32, bytes, fc.bigInt({ min: 0n, max: LSN_MAX }), (storageId, indexId, tuple, id) => {
        assert.deepEqual(keys.parseRowKey(Buffer.concat([keys.rowPrefix(storageId), tuple])), { storageId, tuple })
        assert.deepEqual(keys.parseIndexKey(Buffer.concat([keys.indexPrefix(storageId, indexId), tuple])), {
          storageId,
          indexId,
          tuple,
        })
        assert.deepEqual(keys.parseJobKey(keys.jobKey('b', id)), { kind: 'b', id })
      }),
    )
  })
})

void t.test('the kinds of keys do not run into each other: each stays inside its prefix', async (t) => {
  const inside = (key: Buffer, prefix: Buffer) => key.subarray(0, prefix.length).equals(prefix)
  t.ok(inside(keys.catalogKey('x'), keys.catalogPrefix()))
  t.ok(inside(keys.schemaKey(3, 'x'), keys.schemaPrefix(3)))
  t.ok(inside(keys.tableKey(3, 4, 'x'), keys.tablePrefix(3, 4)))
  t.ok(inside(keys.tableVersionKey(9, 4), keys.tableVersionPrefix(9)))
  t.ok(inside(keys.jobKey('p', 1n), keys.jobPrefix('p')))
  t.ok(inside(keys.jobKey('p', 1n), keys.jobPrefix()))
  const prefixes = [
    keys.META_PREFIX,
    keys.DICTIONARY_PREFIX,
    keys.STATS_PREFIX,
    keys.LOG_PREFIX,
    keys.ROW_PREFIX,
    keys.INDEX_PREFIX,
    keys.JOB_PREFIX,
    keys.IDEMPOTENCY_PREFIX,
    keys.SUBSCRIPTION_PREFIX,
  ]
  t.equal(new Set(prefixes).size, prefixes.length)
})

void t.test('numbers that do not fit are our bug', async (t) => {
  for (const id of [-1, 1.5, 2 ** 32, Number.NaN]) {
    t.throws(() => keys.rowPrefix(id), { name: 'AssertionError' })
  }
  t.throws(() => keys.jobKey('ab', 1n), { name: 'AssertionError' })
  t.throws(() => keys.jobKey('p', -1n), { name: 'AssertionError' })
  t.throws(() => keys.parseLogKey(keys.rowPrefix(1)), { name: 'AssertionError' })
})

void t.test('every key is described in words, and so is rubbish', async (t) => {
  const described: [Buffer, string][] = [
    [keys.metaKey('cluster'), 'meta value "cluster"'],
    [keys.catalogKey('local'), 'catalog "local"'],
    [keys.schemaKey(1, 'test'), 'schema "test" of catalog 1'],
    [keys.tableKey(1, 2, 'fan_of'), 'table "fan_of" of schema 2 in catalog 1'],
    [keys.tableVersionKey(7, 3), 'version 3 of table 7'],
    [keys.tablePlaceKey(7), 'place of table 7'],
    [keys.schemaPlaceKey(7), 'place of schema 7'],
    [keys.statsKey(7), 'statistics of storage 7'],
    [keys.logKey(12n as Lsn, 1), 'log frame 12 segment 1'],
    [Buffer.concat([keys.rowPrefix(7), Buffer.from([1, 255])]), 'row of storage 7, key tuple 0x01ff'],
    [keys.indexPrefix(7, 8), 'entry of storage 7 index 8, tuple 0x'],
    [keys.jobKey('p', 4n), 'job p 4'],
    [Buffer.from('zz'), 'unknown key 0x7a7a'],
  ]
  for (const [key, text] of described) t.equal(keys.describeKey(key), text)
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(fc.constantFrom(...'MDTLRIJKS'), bytes, (letter, rest) => {
        assert.ok(keys.describeKey(Buffer.concat([Buffer.from(letter), rest])).length > 0)
      }),
    )
  })
})
