/** Names of tables on the command line, aligned columns, and the progress bar. */
import t from 'tap'
import { parseTableArgument } from '../../tools/table-argument.js'
import { alignedTable, formatBytes, formatCount, formatSeconds } from '../../tools/table-text.js'
import { ProgressBar } from '../../tools/progress-bar.js'
import { recordedStream } from './recording-terminal.js'

t.test('a table is named by one to three parts', async (t) => {
  const cases: readonly (readonly [string, string, string, string, string])[] = [
    ['orders', 'local', 'test', 'orders', 'test.orders'],
    ['shop.orders', 'local', 'shop', 'orders', 'shop.orders'],
    ['tenant.shop.orders', 'tenant', 'shop', 'orders', 'shop.orders'],
    ['"a.b"."c ""d"""', 'local', 'a.b', 'c "d"', '"a.b"."c ""d"""'],
    ['my orders', 'local', 'test', 'my orders', 'test.my orders'],
  ]
  for (const [text, catalog, schema, table, name] of cases) {
    t.strictSame(parseTableArgument(text, 'local'), { catalog, schema, table, name }, text)
  }
  for (const text of ['', 'a.b.c.d', 'a.', '.a', '"a', '"a"b', 'a"b']) {
    t.throws(() => parseTableArgument(text, 'local'), { code: 'INVALID_ARGUMENT' }, text)
  }
})

t.test('columns are aligned, numbers to the right', async (t) => {
  t.equal(
    alignedTable([
      ['name', 'rows', 'note'],
      ['ä', '1,000', 'x'],
      ['long name', '7', ''],
    ]),
    ['name        rows  note', 'ä          1,000  x', 'long name      7'].join('\n'),
  )
  t.equal(formatCount(1234567), '1,234,567')
  t.same([0, 1023, 1536, 5 * 1024 ** 3].map(formatBytes), ['0 B', '1023 B', '1.5 KiB', '5.0 GiB'])
  t.same([0.256, 12.4, 125, 3725].map(formatSeconds), ['0.26 s', '12 s', '2 min 5 s', '1 h 2 min'])
})

t.test('on a terminal a bar is redrawn, with rows, share, speed and time left, and taken away', async (t) => {
  const { stream, bytes } = recordedStream({ isTTY: true, columns: 200 })
  let nowMs = 0
  const bar = new ProgressBar(stream, () => nowMs)
  bar.update({ phase: 'storing', rows: 1000, fraction: 0 })
  nowMs = 2000
  bar.update({ phase: 'storing', rows: 5000, fraction: 0.25 })
  nowMs = 2050
  bar.update({ phase: 'storing', rows: 5100, fraction: 0.26 })
  bar.end()
  const text = bytes().toString()
  t.equal(text, `\r\u001b[Kstoring  [######..................]  25 %  5,000 rows  2,000 rows/s  6 s left\r\u001b[K`)
})

t.test('elsewhere a plain line now and then', async (t) => {
  const { stream, bytes } = recordedStream()
  let nowMs = 0
  const bar = new ProgressBar(stream, () => nowMs)
  for (; nowMs <= 2500; nowMs += 250) bar.update({ phase: 'reading', rows: nowMs, fraction: nowMs / 5000 })
  bar.end()
  const lines = bytes().toString().split('\n')
  t.equal(lines.length, 3)
  t.match(lines[0], /^reading {2}\[#{5}\.{19}\] {2}20 % {2}1,000 rows {2}1,000 rows\/s {2}4 s left$/)
  t.equal(lines[2], '')
})
