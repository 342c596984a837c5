/** Figures of the status page: never more digits than they mean, never a unit too large or too small. */
import fc from 'fast-check'
import t from 'tap'
import {
  bytesQuantity,
  countQuantity,
  formatRate,
  formatSpan,
  quantityText,
  secondsQuantity,
} from '../../tools/page/client/format.js'

function table<Value>(
  name: string,
  format: (value: Value) => string,
  rows: readonly (readonly [Value, string])[],
): void {
  t.test(name, async (t) => {
    for (const [value, text] of rows) t.equal(format(value), text)
  })
}

table('counts are grouped, beyond 2^53 too', (value: number | string) => quantityText(countQuantity(value)), [
  [0, '0'],
  [1234, '1,234'],
  ['18446744073709551615', '18,446,744,073,709,551,615'],
])

table('rates have a decimal where it matters', formatRate, [
  [0, '0'],
  [0.2, '0.2'],
  [9.96, '10.0'],
  [12.4, '12'],
  [250_000, '250,000'],
])

table('bytes have three digits and a binary unit', (value: number | string) => quantityText(bytesQuantity(value)), [
  [0, '0 B'],
  [999, '999 B'],
  [1000, '0.98 KiB'],
  [1536, '1.50 KiB'],
  [1024 ** 2 * 12.34, '12.3 MiB'],
  ['18446744073709551615', '16384 PiB'],
])

table('a lag is in milliseconds below a second', (value: number) => quantityText(secondsQuantity(value)), [
  [0, '0 s'],
  [0.00042, '0.42 ms'],
  [0.0162, '16.2 ms'],
  [0.9994, '999 ms'],
  [0.9996, '1 s'],
  [6.93, '6.93 s'],
  [59.9, '59.9 s'],
  [64, '1 min 4 s'],
])

table('a span is in its two largest units', formatSpan, [
  [-1, '0 s'],
  [59.9, '59 s'],
  [192, '3 min 12 s'],
  [7260, '2 h 1 min'],
  [86_400 * 3 + 7200, '3 d 2 h'],
])

t.test('a quantity of bytes is short and reads back to within a percent', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
      const { value, unit } = bytesQuantity(bytes)
      const read = Number(value) * 1024 ** ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'].indexOf(unit)
      return value.length <= 4 && Math.abs(read - bytes) <= bytes * 0.01
    }),
  )
})
