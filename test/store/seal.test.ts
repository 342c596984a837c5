/** G8: a stored value is verified on every read, and under its own key only. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { crc32 } from 'node:zlib'
import { rowPrefix } from '../../store/keys.js'
import { seal, SEAL_BYTES, unseal } from '../../store/seal.js'

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))

void t.test('a sealed payload comes back, and its form on disk is fixed', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(bytes(20), bytes(200), (key, payload) => {
        const value = seal(key, payload)
        assert.deepEqual(unseal(key, value), payload)
        assert.equal(value.readUInt32LE(0), crc32(Buffer.concat([key, payload])))
        assert.deepEqual(value.subarray(SEAL_BYTES), payload)
      }),
    )
  })
})

void t.test('any flipped bit is CORRUPT', async (t) => {
  const key = Buffer.concat([rowPrefix(7), Buffer.from('k')])
  const value = seal(key, Buffer.from('payload'))
  for (let bit = 0; bit < value.length * 8; bit++) {
    const damaged = Buffer.from(value)
    damaged[bit >>> 3]! ^= 1 << (bit & 7)
    t.throws(() => unseal(key, damaged), { code: 'CORRUPT', message: /row of storage 7, key tuple 0x6b/ })
  }
})

void t.test('a value under another key, and one too short to be sealed, is CORRUPT', async (t) => {
  const value = seal(Buffer.from('a'), Buffer.from('payload'))
  t.throws(() => unseal(Buffer.from('b'), value), { code: 'CORRUPT' })
  for (let length = 0; length < SEAL_BYTES; length++) {
    t.throws(() => unseal(Buffer.from('a'), value.subarray(0, length)), { code: 'CORRUPT' })
  }
})
