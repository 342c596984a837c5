/**
 * The changes of each table on a subject of their own, against a real nats-server, and read in another language: a Python
 * program decodes them with the .proto that `replog proto` prints.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.js'
import { formatPosition } from '../../core/position.js'
import type { CompiledTable } from '../../ddl/compiled-table.js'
import { catalogIdentifier, parseTableName } from '../../ddl/identifiers.js'
import { protoOf } from '../../ddl/proto-export.js'
import { NatsPrimary } from '../../log/nats/nats-primary.js'
import { changesStream, changesSubject, subjectToken } from '../../log/nats/subjects.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { repositoryPath } from '../house/repository.js'
import { requireTool } from '../house/tools.js'
import { until } from '../replication/until.js'
import { type NatsServer, startNats } from './nats-server.js'

const LIMITS = { bytesMax: 0, ageMsMax: 0, replicas: 1 }
/** Debian's, for which its package python3-protobuf is. */
const PYTHON = '/usr/bin/python3'

const FANS = {
  name: 'fan club',
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'name', type: 'VARCHAR(100)' },
    { name: 'since', type: 'INTEGER' },
  ],
  primaryKey: ['id'],
} as const

interface Run {
  readonly primary: Primary
  readonly nats: NatsPrimary
  readonly cluster: string
  /** The .proto of the table as it is now. */
  proto(): string
}

async function publishing(t: Test, server: NatsServer): Promise<Run> {
  const primary = await Primary.open({ path: '/primary', engine: new MemoryEngine() })
  const options = { servers: [server.url], name: 'primary', limits: LIMITS, publishesChanges: true }
  const nats = new NatsPrimary(primary.state, systemClock, options)
  t.teardown(async () => {
    await nats.close()
    await primary.close()
  })
  await primary.catalog().execute([{ createTable: { table: FANS } }])
  const proto = (): string => {
    return protoOf(tableNamed(primary, 'fan club').message, { catalog: 'local', schema: 'test' })
  }
  return { primary, nats, cluster: primary.state.identity.clusterId!.toString('hex'), proto }
}

function tableNamed({ state }: Primary, table: string): CompiledTable {
  const catalog = catalogIdentifier('local')
  return state.dictionary.table(state.readNewest, parseTableName(catalog, table))
}

async function published({ primary, nats }: Run): Promise<void> {
  await until(() => nats.changes!.publishedLsn === primary.position.lsn)
}

interface StoredChange {
  readonly subject: string
  readonly fields: (name: string) => string
  readonly data: Buffer
}

async function changesIn({ nats, cluster }: Run): Promise<StoredChange[]> {
  const { streams } = nats.link.handles().manager
  const { state } = await streams.info(changesStream(cluster))
  const found: StoredChange[] = []
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const { subject, header, data } = await streams.getMessage(changesStream(cluster), { seq })
    found.push({ subject, fields: (name) => header.get(name), data: Buffer.from(data) })
  }
  return found
}

t.test('names become levels of a subject, each its own', async (t) => {
  t.equal(subjectToken('plain_Name-1'), 'plain_Name-1')
  t.equal(subjectToken('a.b*c>d e=f'), 'a=2eb=2ac=3ed=20e=3df')
  t.equal(subjectToken('Fäns'), 'F=c3=a4ns')
  t.equal(changesSubject('c', 'local', 'test', 'fan club'), 'replog.c.changes.local.test.fan=20club')
})

t.test(
  'inserts, updates, deletes, truncate and drop come with their place, and decode with the exported .proto',
  async (t) => {
    const server = await startNats(t)
    if (server === undefined) return
    const run = await publishing(t, server)
    const db = run.primary.catalog()
    const proto = protobuf.parse(run.proto(), { keepCase: true }).root.lookupType('FanClubChanges')
    const { position } = await db.execute([
      {
        insert: {
          table: 'fan club',
          rows: [
            { id: 1, name: 'Ada', since: 1843 },
            { id: 2, name: 'Emmy' },
          ],
        },
      },
      { update: { table: 'fan club', key: { id: 2 }, set: { since: 1918 } } },
    ])
    await db.execute([{ delete: { table: 'fan club', key: { id: 1 } } }])
    await published(run)
    await db.execute([{ truncateTable: { table: 'fan club' } }])
    await published(run)
    await db.execute([{ dropTable: { table: 'fan club' } }])
    await published(run)
    const found = await changesIn(run)
    t.same(
      found.map(({ fields }) => fields('Replog-Kind')),
      ['insert', 'update', 'delete', 'truncate', 'drop'],
    )
    t.same(
      found.slice(0, 2).map(({ fields }) => fields('Nats-Msg-Id')),
      [`${formatPosition(position)}/0`, `${formatPosition(position)}/1`],
    )
    t.equal(found[0]?.fields('Replog-Piece'), '0-1/2')
    t.equal(found[0]?.subject, changesSubject(run.cluster, 'local', 'test', 'fan club'))
    const decoded = found.slice(0, 3).map(({ data }) => proto.toObject(proto.decode(data), { longs: String }))
    t.match(decoded[0], {
      rows: [{ after: { id: '1', name: 'Ada', since: 1843 } }, { after: { id: '2', name: 'Emmy' } }],
    })
    t.match(decoded[1], { rows: [{ before: { id: '2' }, after: { since: 1918 } }] })
    t.match(decoded[2], { rows: [{ before: { id: '1', name: 'Ada' } }] })
  },
)

t.test('large changes are cut between rows, and a row larger than a message is told of', async (t) => {
  const server = await startNats(t, { config: 'max_payload: 65536' })
  if (server === undefined) return
  const run = await publishing(t, server)
  const db = run.primary.catalog()
  await db.execute([
    {
      createTable: {
        table: {
          name: 'blobs',
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'data', type: 'BLOB' },
          ],
          primaryKey: ['id'],
        },
      },
    },
  ])
  const rows = Array.from({ length: 30 }, (_, id) => ({ id, data: Buffer.alloc(id === 20 ? 100_000 : 9000, id) }))
  await db.execute([{ insert: { table: 'blobs', rows } }])
  await published(run)
  const found = await changesIn(run)
  t.ok(found.every(({ data }) => data.length <= 65536))
  const omitted = found.filter(({ fields }) => fields('Replog-Omitted-Bytes') !== '')
  t.equal(omitted.length, 1)
  t.ok(Number(omitted[0]?.fields('Replog-Omitted-Bytes')) > 100_000)
  const proto = protobuf
    .parse(protoOf(tableNamed(run.primary, 'blobs').message, { catalog: 'local', schema: 'test' }))
    .root.lookupType('BlobsChanges')
  const ids = found.flatMap(
    ({ data }) => (proto.toObject(proto.decode(data)) as { rows?: { after: { id: number } }[] }).rows ?? [],
  )
  t.same(
    ids.map(({ after }) => after.id),
    rows.map(({ id }) => id).filter((id) => id !== 20),
  )
})

t.test('nats-server is killed in the middle: each change is there once and in order', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publishing(t, server)
  const db = run.primary.catalog()
  for (let id = 0; id < 300; id++) {
    await db.execute([
      { insert: { table: 'fan club', rows: [{ id, name: `fan ${id}` }] } },
      { update: { table: 'fan club', key: { id }, set: { since: id } } },
    ])
    if (id === 100) await server.kill()
    if (id === 200) await server.start()
  }
  await published(run)
  const found = await changesIn(run)
  const places = found.map(({ fields }) => fields('Nats-Msg-Id'))
  t.equal(new Set(places).size, 600)
  t.equal(places.length, 600)
  const lsns = found.map(({ fields }) => Number(fields('Replog-Last').split('.')[1]))
  t.same(
    lsns,
    [...lsns].sort((one, other) => one - other),
  )
})

t.test('a Python program reads the rows with the exported .proto', async (t) => {
  const server = await startNats(t)
  const protoc = requireTool(t, 'protoc')
  const library = requireTool(t, 'python3-protobuf')
  if (server === undefined || protoc === undefined || library === undefined) return
  const run = await publishing(t, server)
  const db = run.primary.catalog()
  const { position } = await db.execute([
    { insert: { table: 'fan club', rows: [{ id: '9007199254740993', name: 'Ada 🎉', since: -7 }] } },
  ])
  await db.execute([{ update: { table: 'fan club', key: { id: '9007199254740993' }, set: { name: null } } }])
  await db.execute([{ delete: { table: 'fan club', key: { id: '9007199254740993' } } }])
  await published(run)
  const directory = join(t.testdir({}), 'generated')
  mkdirSync(directory)
  writeFileSync(join(directory, 'fans.proto'), run.proto())
  const generated = spawnSync(protoc, [`--python_out=${directory}`, `--proto_path=${directory}`, 'fans.proto'])
  t.equal(generated.status, 0, generated.stderr.toString())
  const program = spawn(PYTHON, [
    repositoryPath('test/nats/consumer.py'),
    String(server.port),
    changesStream(run.cluster),
    changesSubject(run.cluster, 'local', 'test', 'fan club'),
    directory,
    'fans_pb2',
    'FanClubChanges',
    '3',
  ])
  let printed = ''
  let complained = ''
  program.stdout.on('data', (data: Buffer) => (printed += data.toString()))
  program.stderr.on('data', (data: Buffer) => (complained += data.toString()))
  const [code] = (await once(program, 'close')) as [number | null]
  t.equal(code, 0, complained)
  // Read as text, because the id is larger than a number holds.
  const lines = printed.trim().split('\n')
  t.equal(lines.length, 3)
  t.match(lines[0], /"id": 9007199254740993/)
  const changes = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(changes[0], {
    subject: changesSubject(run.cluster, 'local', 'test', 'fan club'),
    kind: 'insert',
    position: formatPosition(position),
    rows: [{ after: { name: 'Ada 🎉', since: -7 } }],
  })
  t.match(changes[1], { kind: 'update', rows: [{ before: { name: 'Ada 🎉' } }] })
  t.notOk('name' in (changes[1] as { rows: { after: object }[] }).rows[0]!.after, 'NULL is an absent field')
  t.match(changes[2], { kind: 'delete', rows: [{ before: { since: -7 } }] })
})
