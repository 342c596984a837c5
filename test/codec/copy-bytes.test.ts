/** A copy has the bytes of what it was made of, and keeps them whatever is copied or changed later. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { copyBytes } from '../../log/codec/copy-bytes.js'

void t.test('copies of any sizes keep their bytes', async () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 30 }), (lengths) => {
      const sources = lengths.map((length, at) => new Uint8Array(length).fill(at + 1))
      const copies = sources.map((source) => copyBytes(source))
      for (const source of sources) source.fill(0)
      for (const [at, copy] of copies.entries()) {
        assert.equal(copy.length, lengths[at])
        assert.ok(copy.every((byte) => byte === at + 1))
        copy.fill(255)
        for (const later of copies.slice(at + 1)) assert.ok(!later.includes(255), 'nobody else has its memory')
      }
    }),
  )
})
