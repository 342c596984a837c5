/** The checksum of LevelDB's files against published vectors and a bit-by-bit model. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { crc32c, maskCrc32c } from '../../store/crc32c.js'

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return (crc ^ 0xffff_ffff) >>> 0
}

void t.test('the vectors of RFC 3720, section B.4', async (t) => {
  t.equal(crc32c(Buffer.from('123456789')), 0xe306_9283)
  t.equal(crc32c(Buffer.alloc(32)), 0x8a91_36aa)
  t.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8_ab43)
  t.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, at) => at))), 0x46dd_794e)
})

void t.test('any bytes at any alignment agree with the bit-by-bit definition', async (t) => {
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), fc.nat(20), (bytes, head, tail) => {
        const start = Math.min(head, bytes.length)
        const end = Math.max(start, bytes.length - tail)
        assert.equal(crc32c(bytes, start, end), bitByBit(bytes.subarray(start, end)))
      }),
    )
  })
})

void t.test('masking is LevelDB’s: rotate right by 15 and add a constant', async (t) => {
  t.equal(maskCrc32c(0), 0xa282_ead8)
  t.equal(maskCrc32c(0x8000), 0xa282_ead9)
  t.equal(maskCrc32c(1), 0xa284_ead8)
})
