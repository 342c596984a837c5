/**
 * Compares two servers row by row and frame by frame at the position where both stand still.
 *
 * Every table of a catalog is read from both, in key order, and each row compared; then the two logs, byte by byte.
 */
import { isDeepStrictEqual } from 'node:util'
import { ReplogError } from '../../core/errors.js'
import type { HttpClient } from '../http-client.js'
import { type RemoteTable, remoteRows, remoteTables } from './remote-rows.js'

export interface Comparison {
  readonly tables: number
  readonly rows: number
  readonly logBytes: number
}

/** @throws ReplogError DIVERGED that names the first difference */
export async function compareServers(left: HttpClient, right: HttpClient, catalog: string): Promise<Comparison> {
  const tables = await remoteTables(left, catalog)
  const others = await remoteTables(right, catalog)
  if (!isDeepStrictEqual(tables, others)) {
    throw new ReplogError('DIVERGED', `the dictionaries differ: ${names(tables)} on one, ${names(others)} on the other`)
  }
  let rows = 0
  for (const table of tables) rows += await compareTable(left, right, catalog, table)
  const logBytes = await compareLogs(left, right)
  return { tables: tables.length, rows, logBytes }
}

async function compareTable(left: HttpClient, right: HttpClient, catalog: string, table: RemoteTable): Promise<number> {
  const { schema, name, rows } = table
  const others = remoteRows(right, catalog, table)
  let count = 0
  for await (const row of remoteRows(left, catalog, table)) {
    const other = await others.next()
    if (other.done === true || !isDeepStrictEqual(row, other.value)) {
      throw new ReplogError(
        'DIVERGED',
        `row ${count + 1} of ${schema}.${name} differs: ${JSON.stringify(row)} on one side`,
      )
    }
    count++
  }
  if ((await others.next()).done !== true || count !== rows) {
    throw new ReplogError('DIVERGED', `${schema}.${name} has another number of rows on the other side`)
  }
  return count
}

async function compareLogs(left: HttpClient, right: HttpClient): Promise<number> {
  const others = right.log(0n)
  let rest: Buffer = Buffer.alloc(0)
  let bytes = 0
  for await (const chunk of left.log(0n)) {
    for (let offset = 0; offset < chunk.length;) {
      if (rest.length === 0) {
        const next = await others.next()
        if (next.done === true) throw logsDiffer(bytes)
        rest = next.value
      }
      const length = Math.min(rest.length, chunk.length - offset)
      if (!rest.subarray(0, length).equals(chunk.subarray(offset, offset + length))) throw logsDiffer(bytes)
      rest = rest.subarray(length)
      offset += length
      bytes += length
    }
  }
  if (rest.length > 0 || (await others.next()).done !== true) throw logsDiffer(bytes)
  return bytes
}

function logsDiffer(bytes: number): ReplogError {
  return new ReplogError('DIVERGED', `the logs differ after ${bytes} bytes`)
}

function names(tables: readonly RemoteTable[]): string {
  return tables.map(({ schema, name, rows }) => `${schema}.${name} (${rows} rows)`).join(', ')
}
