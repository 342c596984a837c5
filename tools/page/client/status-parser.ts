/** What the servers answer, checked as far as the page relies on it: a page must not die of a server of another age. */
import type { ServerStatus } from '../../../log/status.js'

export interface TableRow {
  /** "schema.table". */
  readonly name: string
  readonly rows: number
  readonly version: number
  /** Hex; order-free, equal on servers with equal rows. */
  readonly digest: string
}

type JsonObject = Readonly<Record<string, unknown>>

/** The status in the body of `/v1/status`; undefined when it is none. */
export function parseStatus(body: unknown): ServerStatus | undefined {
  if (!isObject(body)) return undefined
  const { role, name, serverId, position, lsn, throughput, log, store } = body
  const hasTexts = [name, serverId, position].every((text) => typeof text === 'string')
  const hasParts = [throughput, log, store].every(isObject)
  const isStatus = (role === 'primary' || role === 'replica') && hasTexts && isDigits(lsn) && hasParts
  return isStatus ? (body as unknown as ServerStatus) : undefined
}

/** The list in the body of `/v1/catalogs/:catalog/tables`; undefined when it is none. */
export function parseTables(body: unknown): readonly TableRow[] | undefined {
  const tables = isObject(body) ? body['tables'] : undefined
  if (!Array.isArray(tables)) return undefined
  const rows: TableRow[] = []
  for (const table of tables as readonly unknown[]) {
    if (!isObject(table)) return undefined
    const { schema, name, rows: count, version, digest } = table
    const hasTexts = typeof schema === 'string' && typeof name === 'string' && typeof digest === 'string'
    if (!hasTexts || typeof count !== 'number' || typeof version !== 'number') return undefined
    rows.push({ name: `${schema}.${name}`, rows: count, version, digest })
  }
  return rows
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isDigits(value: unknown): boolean {
  return typeof value === 'string' && /^\d+$/.test(value)
}
