/** A page of a scan is bounded by the rows that it returns, also where the index entries that it reads are small. */
import t from 'tap'
import { SCAN_PAGE_BYTES_MAX } from '../../core/limits.js'
import { openGated } from '../primary/open-primary.js'

const ROW_BYTES = 200_000
const ROWS = 40

t.test('pages of an index scan hold about a page of row bytes, in both directions, and lose no row', async (t) => {
  const { db, engine } = await openGated(t)
  engine.before.open()
  engine.after.open()
  await db.execute([
    {
      createTable: {
        table: {
          name: 'blobs',
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'kind', type: 'INTEGER' },
            { name: 'data', type: 'BLOB' },
          ],
          primaryKey: ['id'],
          indexes: [{ name: 'kind', columns: ['kind'] }],
        },
      },
    },
  ])
  for (let id = 0; id < ROWS; id++) {
    await db.execute([{ insert: { table: 'blobs', rows: [{ id, kind: 1, data: new Uint8Array(ROW_BYTES) }] } }])
  }
  for (const index of [undefined, 'kind']) {
    for (const reverse of [false, true]) {
      const ids: unknown[] = []
      for await (const rows of db.scanPages('blobs', { index, reverse })) {
        t.ok(rows.length * ROW_BYTES <= SCAN_PAGE_BYTES_MAX + ROW_BYTES, `${rows.length} rows in a page`)
        ids.push(...rows.map(({ id }) => id))
      }
      const expected = Array.from({ length: ROWS }, (_, id) => id)
      t.same(ids, reverse ? expected.toReversed() : expected)
    }
  }
})
