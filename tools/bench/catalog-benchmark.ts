/**
 * What many catalogs cost: how fast they are made, how long a server takes to open with them, how much memory they take
 * while they are idle and after they were touched, and whether a request to any of them is as fast as to the first.
 *
 *   an empty server, reopened      → what opening and memory are without catalogs
 *   N catalogs made, each with a table and a row in it
 *   the server, reopened           → opening, memory while nothing was touched
 *   reads and writes, one at random, one in the first catalog, by turns, over one connection; the random catalogs
 *   are read for the first time, then again, then written
 *
 * The server is a process of its own, as an operator starts it. By turns, because both then meet the same machine.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError } from '../../core/errors.js'
import { CREATE_ITEMS, makeCatalogs, numberedNames } from '../catalogs/make-catalogs.js'
import { HttpClient, catalogPath } from '../http-client.js'
import { ChildServer } from '../pair/child-server.js'
import { jsonText, type Terminal } from '../terminal.js'
import { type Machine, thisMachine } from './machine.js'
import { OneConnection } from './one-connection.js'
import { Samples, type Summary, rounded } from './samples.js'

export interface CatalogBenchmarkOptions {
  /** A directory that is new or empty. */
  readonly path: string
  readonly count: number
  /** Reads and writes of each kind; at most `count` catalogs are touched. */
  readonly requests: number
  /** Requests under way while catalogs are made. */
  readonly concurrency: number
  /** Memory is read so often, with a pause before each time, and the least counts: what is due to be collected is not in use. */
  readonly memoryReadings: { readonly count: number; readonly pauseMs: number }
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onPhase: (phase: string, done: number, of: number) => void
}

export interface Compared {
  readonly random: Summary
  readonly first: Summary
  /** Random over first: 1 is as fast. */
  readonly ratio: { readonly median: number; readonly p99: number }
}

export interface CatalogReport {
  readonly benchmark: 'catalogs'
  readonly measuredAt: string
  readonly machine: Machine
  readonly catalogs: number
  readonly creation: { readonly seconds: number; readonly catalogsPerSecond: number; readonly concurrency: number }
  /** From the start of the process until it listens; the first is of a server without these catalogs. */
  readonly open: { readonly emptyMs: number; readonly withCatalogsMs: number }
  readonly memory: {
    readonly emptyBytes: number
    readonly idleBytes: number
    readonly bytesPerIdleCatalog: number
    /** After requests to the first catalog alone. */
    readonly warmBytes: number
    readonly touchedCatalogs: number
    /** After each of them was read for the first time. */
    readonly touchedBytes: number
    readonly bytesPerTouchedCatalog: number
  }
  readonly requests: number
  /** Each of the random catalogs for the first time since the server was opened, so that nothing of it is in memory. */
  readonly firstRead: Compared
  /** The same catalogs again. */
  readonly read: Compared
  readonly write: Compared
}

const PREFIX = 'catalog-'
const INSERT_ONE = { insert: { table: 'test.items', rows: [{ id: 1, name: 'one' }] } }
const SEED = 70_000

/** @throws ReplogError CLOSED (stopped, or the server ended), and what the server answers */
export async function measureCatalogs(options: CatalogBenchmarkOptions): Promise<CatalogReport> {
  const { count, requests, concurrency, onPhase } = options
  const names = numberedNames(PREFIX, count)

  await (await start(options)).server.stop()
  const empty = await start(options)
  const emptyBytes = await residentBytes(empty.server.url, options)

  const startMs = performance.now()
  await makeCatalogs(new HttpClient(empty.server.url), names, {
    concurrency,
    ifNotExists: false,
    statements: [CREATE_ITEMS, INSERT_ONE],
    onProgress(done) {
      if (options.signal.aborted) throw stopped()
      onPhase('creating', done, count)
    },
  }).catch(async (error: unknown) => {
    await empty.server.stop()
    throw error
  })
  const seconds = (performance.now() - startMs) / 1000
  await empty.server.stop()

  const { server, startedMs } = await start(options)
  const connection = new OneConnection(server.url)
  try {
    const idleBytes = await residentBytes(server.url, options)
    const chosen = chooseDistinct(names, Math.min(requests, count))
    const request = (kind: Kind, name: string): Promise<string> => send(connection, kind, name)
    for (let done = 0; done < requests; done++) {
      if (options.signal.aborted) throw stopped()
      await request('read', names[0]!)
      await request('write', names[0]!)
      onPhase('warming up', done + 1, requests)
    }
    const warmBytes = await residentBytes(server.url, options)
    const firstRead = await compare('read', chosen, names[0]!, request, options)
    const touchedBytes = await residentBytes(server.url, options)
    const read = await compare('read', chosen, names[0]!, request, options)
    const write = await compare('write', chosen, names[0]!, request, options)
    return {
      benchmark: 'catalogs',
      measuredAt: new Date().toISOString(),
      machine: thisMachine(),
      catalogs: count,
      creation: { seconds: rounded(seconds, 1), catalogsPerSecond: Math.round(count / seconds), concurrency },
      open: { emptyMs: Math.round(empty.startedMs), withCatalogsMs: Math.round(startedMs) },
      memory: {
        emptyBytes,
        idleBytes,
        bytesPerIdleCatalog: Math.round((idleBytes - emptyBytes) / count),
        warmBytes,
        touchedCatalogs: chosen.length,
        touchedBytes,
        bytesPerTouchedCatalog: Math.round((touchedBytes - warmBytes) / chosen.length),
      },
      requests,
      firstRead,
      read,
      write,
    }
  } finally {
    connection.close()
    await server.stop()
  }
}

type Kind = 'read' | 'write'

async function compare(
  kind: Kind,
  chosen: readonly string[],
  first: string,
  request: (kind: Kind, name: string) => Promise<string>,
  { requests, signal, onPhase }: CatalogBenchmarkOptions,
): Promise<Compared> {
  const times = { random: new Samples(), first: new Samples() }
  for (let done = 0; done < requests; done++) {
    if (signal.aborted) throw stopped()
    // Who comes first changes, so that neither always follows the other.
    for (const which of done % 2 === 0 ? (['random', 'first'] as const) : (['first', 'random'] as const)) {
      const startMs = performance.now()
      await request(kind, which === 'first' ? first : chosen[done % chosen.length]!)
      times[which].add(performance.now() - startMs)
    }
    onPhase(kind === 'read' ? 'reading' : 'writing', done + 1, requests)
  }
  const random = times.random.summary()
  const firstOne = times.first.summary()
  const ratio = {
    median: rounded(random.medianMs / firstOne.medianMs, 2),
    p99: rounded(random.p99Ms / firstOne.p99Ms, 2),
  }
  return { random, first: firstOne, ratio }
}

const ROWS_QUERY = `?key=${encodeURIComponent('{"id":"1"}')}`
const WRITE_BODY = jsonText({
  statements: [{ update: { table: 'test.items', key: { id: '1' }, set: { name: 'another' } } }],
})

function send(connection: OneConnection, kind: Kind, name: string): Promise<string> {
  return kind === 'read'
    ? connection.send(catalogPath(name, 'tables', 'test.items', 'rows') + ROWS_QUERY)
    : connection.send(catalogPath(name, 'transactions'), WRITE_BODY)
}

async function start({
  path,
  terminal,
}: CatalogBenchmarkOptions): Promise<{ readonly server: ChildServer; readonly startedMs: number }> {
  const startMs = performance.now()
  const server = await ChildServer.start('primary', ['--data', path, '--port', '0'], terminal, (error) => {
    terminal.note(`error: ${error.message}`)
  })
  return { server, startedMs: performance.now() - startMs }
}

/** Resident memory of a server, when it has come to rest. */
async function residentBytes(
  url: string,
  { memoryReadings: { count, pauseMs } }: CatalogBenchmarkOptions,
): Promise<number> {
  const client = new HttpClient(url)
  let least = Infinity
  for (let reading = 0; reading < count; reading++) {
    await delay(pauseMs)
    const found = /^process_resident_memory_bytes(?:\{[^}]*\})? (\S+)$/m.exec(await client.text('/metrics'))
    if (found === null) throw new ReplogError('PROTOCOL', `${url} does not report its memory; check the URL`)
    least = Math.min(least, Number(found[1]))
  }
  return least
}

/** So many of the names, each once, the same in every run. */
function chooseDistinct(names: readonly string[], count: number): string[] {
  const left = [...names]
  let state = SEED
  for (let at = 0; at < count; at++) {
    // Numerical Recipes' generator; the low bits repeat soon, so the high ones choose.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const other = at + Math.floor((state / 2 ** 32) * (left.length - at))
    ;[left[at], left[other]] = [left[other]!, left[at]!]
  }
  return left.slice(0, count)
}

function stopped(): ReplogError {
  return new ReplogError('CLOSED', 'the benchmark was stopped')
}
