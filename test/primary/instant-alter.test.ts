/**
 * A change of a definition that needs no row is instant, whatever the size of the table: on a few hundred thousand
 * rows it writes a handful of keys and reads no row. What is dropped gives its disk space back. (G1, G6)
 *
 * REPLOG_TEST_ROWS sets another number of rows, such as a million.
 */
import { cp, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import type { StatementInput } from '../../primary/statement.js'
import { openDataDirectory } from '../../store/data-directory.js'
import { prefixRange, rowPrefix } from '../../store/keys.js'
import { CountingEngine } from './counting-engine.js'
import { openOnDisk } from './open-primary.js'
import { collect } from './outcome.js'
import { scratchDirectory } from './scratch-directory.js'

// Not a bound on the product: a busy machine may take its time.
t.setTimeout(300_000)

const ROWS = Number(process.env['REPLOG_TEST_ROWS'] ?? 300_000)
const ROWS_PER_TRANSACTION = 10_000
/** With log frame, counters and statistics. */
const KEYS_MAX = 10

/** Makes the table and fills it in transactions that run beside each other. */
async function load(path: string): Promise<void> {
  const primary = await Primary.open({ path })
  const db = primary.catalog()
  await db.execute([
    {
      createTable: {
        table: {
          name: 'big',
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'v', type: 'INTEGER', notNull: true },
          ],
          primaryKey: ['id'],
          indexes: [{ name: 'v', columns: ['v'] }],
        },
      },
    },
  ])
  let next = 0
  const insert = async (): Promise<void> => {
    while (next < ROWS) {
      const from = next
      next = Math.min(ROWS, from + ROWS_PER_TRANSACTION)
      const rows = Array.from({ length: next - from }, (_, ordinal) => ({ id: from + ordinal, v: ordinal % 1000 }))
      await db.execute([{ insert: { table: 'big', rows } }])
    }
  }
  await Promise.all([insert(), insert(), insert(), insert()])
  await primary.close()
}

/** Loaded once, and copied for the second test: two ends of one table. */
const directories = (async (): Promise<readonly [string, string]> => {
  const directory = scratchDirectory(t)
  const paths = [join(directory, 'first'), join(directory, 'second')] as const
  await load(paths[0])
  await cp(paths[0], paths[1], { recursive: true })
  return paths
})()

async function diskBytes(path: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size
  }
  return bytes
}

interface Big {
  readonly primary: Primary
  readonly db: Catalog
  readonly engine: CountingEngine
  readonly path: string
}

async function openBig(t: Test, which: 0 | 1): Promise<Big> {
  const path = (await directories)[which]
  const engine = new CountingEngine((await openDataDirectory(path)).engine)
  const { primary, db } = await openOnDisk(t, path, { engine })
  return { primary, db, engine, path }
}

/** The statement alone: its batch is small, and it looked at no row. */
async function runInstantly(t: Test, { primary, db, engine }: Big, name: string, run: StatementInput): Promise<void> {
  await primary.jobsDone()
  engine.reset()
  await db.execute([run])
  const logged = engine.batches.filter(({ isLogged }) => isLogged)
  t.equal(logged.length, 1, `${name}: one batch`)
  const { keys, named } = logged[0]!
  t.ok(keys < KEYS_MAX, `${name}: ${keys} keys: ${named.join(', ')}`)
  t.equal(engine.entriesRead, 0, `${name}: no row was read`)
}

const METADATA: readonly AlterTableChange[] = [
  { addColumn: { name: 'plain', type: 'TEXT' } },
  { addColumn: { name: 'counted', type: 'BIGINT', notNull: true, default: 7, first: true } },
  { renameColumn: { name: 'plain', to: 'note' } },
  { moveColumn: { name: 'note', after: 'id' } },
  { setDefault: { column: 'note', default: 'none' } },
  { dropDefault: { column: 'note' } },
  { dropNotNull: { column: 'v' } },
  { setType: { column: 'v', type: 'BIGINT' } },
  { setColumnComment: { column: 'v', comment: 'the value' } },
  { setComment: { comment: 'large' } },
  { setOptions: { owner: 'somebody' } },
  { setRowImage: { rowImage: 'minimal' } },
  { renameIndex: { name: 'v', to: 'by_v' } },
  { dropColumn: { name: 'note' } },
]

void t.test(`changes of the definition of ${ROWS} rows, and the end of the table`, async (t) => {
  const big = await openBig(t, 0)
  const { primary, db, path } = big
  const before = await diskBytes(path)
  for (const change of METADATA) {
    await runInstantly(t, big, JSON.stringify(change), { alterTable: { table: 'big', changes: [change] } })
  }
  await runInstantly(t, big, 'all at once, and back', {
    alterTable: {
      table: 'big',
      changes: [{ addColumn: { name: 'late', type: 'DATE' } }, { setComment: { comment: '' } }],
    },
  })
  await runInstantly(t, big, 'renameTables', { renameTables: { tables: [{ from: 'big', to: 'large' }] } })
  t.same(db.get('large', { id: ROWS - 1 }), { counted: 7n, id: ROWS - 1, v: BigInt((ROWS - 1) % 1000), late: null })
  t.equal((await collect(db.scan('large', { index: 'by_v', prefix: { v: 5 }, limit: 3 }))).length, 3)
  const [listing] = await db.tables()
  t.equal(listing!.rows, ROWS)

  await runInstantly(t, big, 'dropIndex', { dropIndex: { table: 'large', index: 'by_v' } })
  await runInstantly(t, big, 'dropTable', { dropTable: { table: 'large' } })
  await primary.jobsDone()
  await spaceIsBack(t, big, listing!.message.storageId, before)
})

void t.test(`TRUNCATE of ${ROWS} rows`, async (t) => {
  const big = await openBig(t, 1)
  const { db } = big
  await runInstantly(t, big, 'truncateTable', { truncateTable: { table: 'big' } })
  t.same(await collect(db.scan('big')), [])
  t.equal((await db.tables())[0]!.rows, 0)
})

/** Nothing of the storage is left, and the files have shrunk to about what the log takes. */
async function spaceIsBack(t: Test, { primary, path }: Big, storageId: number, before: number): Promise<void> {
  const page = { entriesMax: 1, bytesMax: 1, reverse: false }
  t.same((await primary.state.store.page(prefixRange(rowPrefix(storageId)), page)).entries, [])
  const after = await diskBytes(path)
  t.ok(after < before / 2, `${before} bytes before, ${after} after`)
}
