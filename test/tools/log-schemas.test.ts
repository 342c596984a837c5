/**
 * Every message of the log decodes with the schema of its own LSN, however often the table was altered since, and also
 * when it is gone: with `--data`, with `--from` from the beginning, and from the middle, where the definitions that are
 * needed have not passed by. (G6)
 */
import { join } from 'node:path'
import t from 'tap'
import type { Lsn } from '../../core/position.js'
import { serve } from '../http/serving.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { type Image, type JsonRow, TABLE, writeSchemaHistory } from './random-schema-history.js'
import { jsonLines, replog } from './recording-terminal.js'

const ALTERS = 30

interface LoggedRows {
  readonly table: string
  readonly tableVersion: number
  readonly rows: readonly { readonly key?: JsonRow; readonly before?: JsonRow; readonly after?: JsonRow }[]
}

interface LoggedImage extends Image {
  readonly key?: JsonRow
}

/** The row images of a transaction as it was printed. */
function imagesOf(line: Record<string, unknown>): LoggedImage[] {
  const images: LoggedImage[] = []
  for (const statement of line['statements'] as Record<string, unknown>[]) {
    const [[kind, value] = []] = Object.entries(statement)
    if (kind !== 'insert' && kind !== 'update' && kind !== 'delete' && kind !== 'rewrite') continue
    const { tableVersion, rows } = value as LoggedRows
    for (const row of rows) images.push({ kind, version: tableVersion, ...row })
  }
  return images
}

/** What the log must show: rows that an ALTER did not write are not in it, and a minimal image has the key alone. */
function expected(written: readonly Image[], logged: readonly LoggedImage[]): object[] {
  const isRewritten = logged.some(({ kind }) => kind === 'rewrite')
  return written
    .filter(({ kind }) => isRewritten || kind !== 'rewrite')
    .map(({ before, ...image }, ordinal) => {
      if (before === undefined) return image
      return logged[ordinal]?.key === undefined ? { ...image, before } : { ...image, key: { id: before['id'] } }
    })
}

t.test(`the log of a table that was altered ${ALTERS} times (seed ${TEST_SEED})`, async (t) => {
  const path = join(t.testdir({}), 'data')
  const serving = await serve({ path })
  const random = new Random(TEST_SEED)
  const db = serving.primary.catalog()
  const history = await writeSchemaHistory(db, random, ALTERS)
  t.ok(history.versions.size > ALTERS, 'each ALTER made a version')

  const fromServer = async (after: number): Promise<Record<string, unknown>[]> => {
    const { code, stdout, stderr } = await replog('log', 'dump', '--from', serving.url, '--after', String(after))
    t.match({ code, stderr }, { code: 0, stderr: '' })
    return jsonLines(stdout)
  }
  const lines = await fromServer(0)

  const kinds = new Set<string>()
  for (const line of lines) {
    const lsn = BigInt(String(line['lsn'])) as Lsn
    const logged = imagesOf(line)
    for (const { kind } of logged) kinds.add(kind)
    t.strictSame(logged, expected(history.images.get(lsn) ?? [], logged), `LSN ${lsn}`)
  }
  t.same([...kinds].sort(), ['delete', 'insert', 'rewrite', 'update'], 'every kind of row change was there')

  const described = `/v1/catalogs/local/tables/${TABLE}`
  for (const [version, definition] of history.versions) {
    const { json } = await serving.get(`${described}?version=${version}`)
    t.strictSame(json['definition'], JSON.parse(JSON.stringify(definition, plain)), `version ${version}`)
  }
  const afters = Array.from({ length: 5 }, () => 1 + random.below(lines.length - 1))
  for (const after of afters) t.strictSame(imagesFrom(await fromServer(after)), imagesFrom(lines.slice(after)))

  await db.execute([{ dropTable: { table: TABLE } }])
  await serving.primary.jobsDone()
  for (const after of afters) {
    t.strictSame(imagesFrom((await fromServer(after)).slice(0, -1)), imagesFrom(lines.slice(after)), 'when it is gone')
  }
  const all = await fromServer(0)
  await serving.close()
  const stored = await replog('log', 'dump', '--data', path)
  t.same(stored.stderr, '')
  t.strictSame(jsonLines(stored.stdout), all, 'the directory tells the same as the server')
})

function imagesFrom(lines: readonly Record<string, unknown>[]): LoggedImage[][] {
  return lines.map(imagesOf)
}

/** Values of defaults as they are in JSON. */
function plain(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
