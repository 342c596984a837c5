/** G5: triggers of the application that embeds the server see what clients commit, over HTTP and in sessions, and may refuse it. */
import t from 'tap'
import type { Catalog } from '../../primary/catalog.js'
import { makeKv, serveSessions } from '../session/serving-sessions.js'
import { serve } from './serving.js'

const OWN = {
  name: 'own',
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'value', type: 'TEXT' },
  ],
  primaryKey: ['id'],
}

/** Copies values into `own`, and refuses one of them. */
function watch(db: Catalog): void {
  db.onCommit('kv', async (changes, transaction) => {
    for (const { after } of changes) {
      if (after?.value === 'bad') throw new Error('no bad values')
      await transaction.insert('own', { id: after!.id, value: after!.value })
    }
  })
}

t.test('a one-shot transaction over HTTP', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const db = serving.primary.catalog()
  await makeKv(serving.primary)
  await db.execute([{ createTable: { table: OWN } }])
  watch(db)
  const insert = (id: number, value: string) =>
    serving.post({ statements: [{ insert: { table: 'kv', rows: [{ id, value }] } }] })
  t.equal((await insert(1, 'good')).status, 200)
  t.match(db.get('own', { id: 1 }), { value: 'good' })
  const refused = await insert(2, 'bad')
  t.match(refused, { status: 422, json: { code: 'TRIGGER_REFUSED', detail: 'no bad values' } })
  t.equal(db.get('kv', { id: 2 }), undefined)
  const forbidden = await serving.post({ statements: [{ createSchema: { schema: 'replog' } }] })
  t.match(forbidden, { status: 403, json: { code: 'SYSTEM_TABLE' } })
})

t.test('the commit of a session', async (t) => {
  const serving = await serveSessions(t)
  const db = serving.primary.catalog()
  await makeKv(serving.primary)
  await db.execute([{ createTable: { table: OWN } }])
  watch(db)
  const client = await serving.connect()
  const commit = async (id: number, value: string) => {
    await client.ask({ begin: {} })
    await client.ask({ insert: { table: 'kv', rows: [{ id, value }] } })
    return client.tell({ commit: {} })
  }
  t.equal((await commit(1, 'good')).error, undefined)
  t.match(db.get('own', { id: 1 }), { value: 'good' })
  t.match((await commit(2, 'bad')).error, { code: 'TRIGGER_REFUSED' })
  t.equal(db.get('kv', { id: 2 }), undefined)
  t.equal((await commit(3, 'good')).error, undefined, 'the session goes on')
})
