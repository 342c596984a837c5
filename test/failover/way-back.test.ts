/**
 * The bad day and the way back, with real servers: the primary dies with transactions that nobody else has, the replica takes
 * over, the old primary undoes them, keeps them in a file and follows. G7.
 */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { compareServers } from '../../tools/pair/compare.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { until } from '../replication/until.js'
import { jsonLines, replog } from '../tools/recording-terminal.js'
import { start } from './servers.js'

t.setTimeout(120_000)

const TABLE = {
  name: 'entries',
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'text', type: 'TEXT' },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'text', columns: ['text'] }],
}
const row = (id: number, text: string) => ({ insert: { table: 'entries', rows: [{ id, text }] } })

void t.test('replog rejoin: the old primary follows the new one, and what it had alone is in a file', async (t) => {
  const directory = scratchDirectory(t)
  const data = join(directory, 'old')
  const old = await start(t, 'primary', '--data', data)
  const replica = await start(t, 'replica', '--data', join(directory, 'new'), '--from', old.url)
  await old.client.execute('local', [{ createTable: { table: TABLE } }, row(1, 'both')])
  const { lsn, position } = await old.client.status()
  await until(async () => (await replica.client.status()).lsn === lsn)
  // The cable is cut.
  t.equal((await replog('follow', replica.url, '--from', 'http://127.0.0.1:1')).code, 0)
  await old.client.execute('local', [row(2, 'alone')])
  await old.client.execute('local', [
    { update: { table: 'entries', key: { id: '1' }, set: { text: 'alone' } } },
    { createIndex: { table: 'entries', index: { name: 'both', columns: ['text', 'id'] } } },
  ])
  await old.kill()

  t.equal((await replog('promote', replica.url)).code, 0)
  await replica.client.execute('local', [row(2, 'new'), row(3, 'new')])

  const dry = await replog('rejoin', '--from', replica.url, '--data', data, '--dry-run')
  t.equal(dry.code, 0, dry.stderr)
  t.match(dry.stdout, new RegExp(`part at ${position}[^]*2 transactions with 2 changes of rows and 1 definition`))
  t.match(await readdir(data), ['FORMAT', 'db'], 'a dry run leaves nothing behind')
  const wrong = await replog('replica', '--from', replica.url, '--data', data, '--port', '0')
  t.match(wrong.stderr, /holds the data of a primary/)

  const ran = await replog('rejoin', '--from', replica.url, '--data', data, '--json')
  t.equal(ran.code, 0, ran.stderr)
  const report = JSON.parse(ran.stdout) as { readonly file: string }
  t.match(report, { fork: position, transactions: 2, rows: 2, definitions: 1, resumed: false })
  const extra = jsonLines(await readFile(report.file, 'utf8'))
  t.match(extra, [
    { lsn: '3', catalog: 'local', statements: [{ insert: { rows: [{ after: { id: '2', text: 'alone' } }] } }] },
    { lsn: '4', statements: [{ update: {} }, { createIndex: {} }] },
  ])
  t.ok(extra.every(({ frames }) => Array.isArray(frames) && frames.length === 1))

  const back = await start(t, 'replica', '--data', data, '--from', replica.url)
  const head = await replica.client.status()
  await until(async () => (await back.client.status()).lsn === head.lsn)
  t.match(await compareServers(replica.client, back.client, 'local'), { tables: 1, rows: 3 })
  t.match(await back.client.status(), { role: 'replica', epoch: 2, replication: { error: null } })
})
