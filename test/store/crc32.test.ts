/** The checksum is zlib's, whichever of its two ways it takes. */
import { crc32 as zlibCrc32 } from 'node:zlib'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { crc32 } from '../../core/crc32.js'

void t.test('G8 short and long bytes have the checksum that zlib gives, also in two steps', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 80 }), (first, second) => {
      assert.equal(crc32(first), zlibCrc32(first))
      assert.equal(crc32(second, crc32(first)), zlibCrc32(Buffer.concat([first, second])))
    }),
  )
  for (const length of [0, 1, 7, 8, 9, 63, 64, 65]) {
    const bytes = Buffer.alloc(length, 0xff)
    t.equal(crc32(bytes), zlibCrc32(bytes), `${length} bytes`)
  }
})
