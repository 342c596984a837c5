/** A store in memory as its bytes, and as its readers see it, for comparing what crashes leave behind. */
import { crc32 } from 'node:zlib'
import { type CatalogIdentifier, catalogIdentifier, formatTableName } from '../../ddl/identifiers.js'
import { CatalogReader } from '../../log/catalog-reader.js'
import { listCatalogs } from '../../log/catalog-list.js'
import { decodeSchemaMessage } from '../../log/codec/definition-codec.js'
import type { SchemaMessage, TableMessage } from '../../log/codec/message.js'
import type { Role } from '../../log/identity.js'
import { openState } from '../../log/open-state.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { TableNames } from '../../log/table-names.js'
import { describeKey, keyBytes, keyText, metaKey, prefixRange, schemaPrefix } from '../../store/keys.js'
import type { MemoryEngine } from '../../store/memory-engine.js'

export type StoreImage = ReadonlyMap<string, Buffer>

const DIFFERENCES_MAX = 8
/** What one server has of its own. */
const IDENTITY = ['server-id', 'role'].map((name) => keyText(metaKey(name)))

/** Every key and value. */
export async function imageOf(engine: MemoryEngine): Promise<StoreImage> {
  const all = { from: Buffer.of(0), to: Buffer.of(0xff, 0xff) }
  const { entries } = await engine.crash().page(all, { entriesMax: Infinity, bytesMax: Infinity, reverse: false })
  return new Map(entries.map(({ key, value }) => [keyText(key), value]))
}

/** The image of another server of the cluster: all but its identity is the same. */
export function withoutIdentity(image: StoreImage): StoreImage {
  return new Map([...image].filter(([text]) => !IDENTITY.includes(text)))
}

/** The first differences, a sentence each; none when all bytes are the same. */
export function imageDifferences(actual: StoreImage, expected: StoreImage): string[] {
  const differences: string[] = []
  for (const [text, value] of expected) {
    const found = actual.get(text)
    if (found?.equals(value) === true) continue
    differences.push(`${describeKey(keyBytes(text))} ${found === undefined ? 'is missing' : 'has another value'}`)
  }
  for (const text of actual.keys()) {
    if (!expected.has(text)) differences.push(`${describeKey(keyBytes(text))} is there and should not be`)
  }
  return differences.slice(0, DIFFERENCES_MAX)
}

export interface StoreView {
  readonly lsn: bigint
  readonly content: string
}

/** What readers find, before any background job has run. */
export async function viewOf(engine: MemoryEngine, role: Role): Promise<StoreView> {
  const state = await openState({ path: '/memory', role, engine: engine.crash() })
  try {
    return { lsn: state.durable.lsn, content: await contentOf(state) }
  } finally {
    await state.close()
  }
}

/** Catalogs, schemas, definitions of tables and their rows as text. Indexes that are being built are left out. */
export async function contentOf(state: ReplicatedState): Promise<string> {
  const names = new TableNames(state)
  const { catalogs } = await listCatalogs(state, { limit: 100 })
  const lines: string[] = []
  for (const catalog of catalogs) {
    lines.push(`catalog ${json(catalog)}`)
    lines.push(...(await catalogLines(state, names, catalogIdentifier(catalog.name))))
  }
  return lines.join('\n')
}

async function catalogLines(state: ReplicatedState, names: TableNames, name: CatalogIdentifier): Promise<string[]> {
  const reader = new CatalogReader(state, names, name)
  const { id } = state.dictionary.catalog(state.readNewest, name)
  const lines = (await schemasOf(state, id)).map((schema) => `schema ${json(schema)}`)
  for (const { schema, name: table, message, rows } of await reader.tables()) {
    lines.push(`table ${json(shown(message))} ${rows} rows`)
    for await (const row of reader.scan(formatTableName({ schema, table }))) lines.push(json(row))
  }
  return lines
}

async function schemasOf({ store }: ReplicatedState, catalogId: number): Promise<SchemaMessage[]> {
  const page = { entriesMax: 1000, bytesMax: Infinity, reverse: false }
  const { entries } = await store.page(prefixRange(schemaPrefix(catalogId)), page)
  return entries.map(({ value }) => decodeSchemaMessage(value))
}

/** Without what an index that is being built, or was given up, leaves in a definition. */
function shown(table: TableMessage): object {
  const indexes = table.indexes.filter(({ building }) => !building)
  return { ...table, indexes, version: 0, changedUs: 0, nextIndexId: 0 }
}

/** Bytes by their checksum. */
export function json(value: object): string {
  const shown = Object.entries(value).map(([name, part]: [string, unknown]) => [
    name,
    part instanceof Uint8Array ? `${part.length} bytes ${crc32(part)}` : part,
  ])
  return JSON.stringify(Object.fromEntries(shown), (_name, part: unknown) =>
    typeof part === 'bigint' ? part.toString() : part,
  )
}
