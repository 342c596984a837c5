/** Writing a u64 gives the bytes that Node writes. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { writeU64BE, writeU64LE } from '../../core/u64.js'

void t.test('both byte orders, at any offset', async () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 0xffff_ffff_ffff_ffffn), fc.nat(5), (value, offset) => {
      const [big, little] = [Buffer.alloc(16), Buffer.alloc(16)]
      const [expectedBig, expectedLittle] = [Buffer.alloc(16), Buffer.alloc(16)]
      writeU64BE(big, value, offset)
      writeU64LE(little, value, offset)
      expectedBig.writeBigUInt64BE(value, offset)
      expectedLittle.writeBigUInt64LE(value, offset)
      assert.deepEqual([big, little], [expectedBig, expectedLittle])
    }),
  )
})
