/** The chain digest is what FORMAT.md says, for payloads on both sides of the size where its method changes. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { chainDigest, digestTail, genesisDigest } from '../../log/codec/digest.js'

/** By the book: first 16 bytes of SHA-256. */
function cut(...parts: Uint8Array[]): Buffer {
  return createHash('sha256').update(Buffer.concat(parts)).digest().subarray(0, 16)
}

t.test('a digest is of the previous digest and the payload', async () => {
  const length = fc.oneof(fc.nat(500), fc.integer({ min: 16_300, max: 16_500 }))
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), length, fc.nat(255), (previous, bytes, fill) => {
      const payload = Buffer.alloc(bytes, fill)
      assert.deepEqual(chainDigest(previous, payload), cut(previous, payload))
    }),
  )
})

t.test('the genesis digest is of the cluster id', async (t) => {
  const clusterId = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
  t.equal(genesisDigest(clusterId).toString('hex'), cut(Buffer.from('replog.v1 genesis'), clusterId).toString('hex'))
  t.not(genesisDigest(Buffer.alloc(16)).compare(genesisDigest(clusterId)), 0)
})

t.test('a digest takes the place of the previous one before a payload of any length', async (t) => {
  for (const length of [20, 100, 1027, 1028, 5000]) {
    const frame = Buffer.alloc(length, 7)
    const expected = cut(frame.subarray(3))
    digestTail(frame, 3)
    t.equal(frame.subarray(3, 19).toString('hex'), expected.toString('hex'), `${length} bytes`)
    t.ok(frame.subarray(19).every((byte) => byte === 7) && frame.subarray(0, 3).every((byte) => byte === 7))
  }
})

t.test('a digest handed out does not change with the next one', async (t) => {
  const first = chainDigest(Buffer.alloc(16), Buffer.of(1))
  const text = first.toString('hex')
  chainDigest(first, Buffer.of(2))
  t.equal(first.toString('hex'), text)
})
