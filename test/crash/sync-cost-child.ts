/**
 * A primary that commits and counts its syncs: `sync-cost-child DIR SENDERS EACH`. So many senders commit one transaction
 * after another; prints the syncs that the store counts from its opening to its end. (It makes its table first.)
 */
import { writeSync } from 'node:fs'
import { Primary } from '../../primary/primary.js'

const [, , path = '', senders = '0', each = '0'] = process.argv
const primary = await Primary.open({ path })
const db = primary.catalog()
await db.execute([
  {
    createTable: {
      table: {
        name: 'things',
        columns: [{ name: 'id', type: 'INTEGER' }],
        primaryKey: ['id'],
      },
    },
  },
])
await Promise.all(
  Array.from({ length: Number(senders) }, async (_, sender) => {
    for (let turn = 0; turn < Number(each); turn++) {
      await db.execute([{ insert: { table: 'things', rows: [{ id: sender * 1000 + turn }] } }])
    }
  }),
)
await primary.close()
writeSync(1, `${primary.state.store.counters.syncs}\n`)
