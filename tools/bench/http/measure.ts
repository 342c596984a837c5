/**
 * The measurement of `bench http`: a primary as an operator starts it, a bare server beside it, and the load, each in a
 * process of its own.
 *
 * Invariants:
 * - repetitions are interleaved, what is compared runs one after the other, each time beginning with another one: what
 *   drifts meets both alike;
 * - every transaction that was acknowledged is a row at the end, or the benchmark fails;
 * - no process is left when it returns or throws.
 */
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ReplogError } from '../../../core/errors.js'
import { DEFAULT_CATALOG_NAME } from '../../../ddl/identifiers.js'
import { HttpClient } from '../../http-client.js'
import { ChildServer } from '../../pair/child-server.js'
import type { Terminal } from '../../terminal.js'
import { deviceOf } from '../fsync/device.js'
import { rotated } from '../fsync/sweep.js'
import { thisMachine } from '../machine.js'
import { MeasuringChild } from '../measuring-child.js'
import { rounded } from '../samples.js'
import type { BareRequest, BareStarted, BareUsage } from './bare-server.js'
import type { LoadFigures, LoadRequest } from './load-child.js'
import { type HttpReport, type HttpSettings, type SliceFigures, rowOf } from './report.js'
import { BARE_ROUTE, CREATE_TABLE, type HttpSeries, SERIES, TABLE_NAME } from './settings.js'

export interface HttpOptions extends HttpSettings {
  /** An empty directory; the primary keeps its data in it. */
  readonly directory: string
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onProgress: (phase: string, done: number, of: number) => void
}

interface Place {
  readonly series: HttpSeries | 'echo'
  readonly connections: number
}

const TRANSACTIONS_PATH = `/v1/catalogs/${DEFAULT_CATALOG_NAME}/transactions`
const WARM_UP_SECONDS = 1

const moduleOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** @throws ReplogError CLOSED when it was stopped, or a process ended; INTERNAL when rows are missing */
export async function measureHttp(options: HttpOptions): Promise<HttpReport> {
  const { directory, connections, echoClients, seconds, repetitions, signal, onProgress } = options
  const before = loadavg()[0]!
  const servers = await Servers.start(options)
  try {
    const posts = connections.flatMap((count) => SERIES.map((series): Place => ({ series, connections: count })))
    const echoes = echoClients.map((count): Place => ({ series: 'echo', connections: count }))
    const places = [...posts, ...echoes]
    const figures = new Map<Place, SliceFigures[]>(places.map((place) => [place, []]))
    for (const series of SERIES) await servers.slice({ series, connections: 1 }, Math.min(seconds, WARM_UP_SECONDS))
    let done = 0
    for (let repetition = 0; repetition < repetitions; repetition++) {
      const turn = [...rotated(posts, SERIES.length, repetition), ...rotated(echoes, echoes.length, repetition)]
      for (const place of turn) {
        signal.throwIfAborted()
        onProgress(`${place.series}, ${place.connections} connections`, done++, places.length * repetitions)
        figures.get(place)!.push(await servers.slice(place, seconds))
      }
    }
    await servers.requireRows()
    const figuresOf = (series: Place['series'], count: number): SliceFigures[] =>
      figures.get(places.find((place) => place.series === series && place.connections === count)!)!
    const [firstClients] = echoClients
    return {
      benchmark: 'http',
      measuredAt: new Date().toISOString(),
      machine: thisMachine(),
      device: await deviceOf(directory),
      settings: { connections, echoClients, seconds, repetitions },
      loadAverage: { before: rounded(before, 2), after: rounded(loadavg()[0]!, 2) },
      http: connections.flatMap((count) => [
        rowOf('empty route', count, figuresOf('empty route', count), undefined),
        rowOf('transaction', count, figuresOf('transaction', count), figuresOf('empty route', count)),
      ]),
      echo: echoClients.map((count) =>
        rowOf(
          'echo',
          count,
          figuresOf('echo', count),
          count === firstClients ? undefined : figuresOf('echo', firstClients!),
        ),
      ),
    }
  } finally {
    await servers.stop()
  }
}

class Servers {
  readonly #primary: ChildServer
  readonly #client: HttpClient
  readonly #bare: MeasuringChild
  readonly #barePort: number
  readonly #load: MeasuringChild
  readonly #died: Promise<never>
  #nextId = 1
  #acknowledged = 0

  private constructor(
    primary: ChildServer,
    bare: MeasuringChild,
    barePort: number,
    load: MeasuringChild,
    died: Promise<never>,
  ) {
    this.#primary = primary
    this.#client = new HttpClient(primary.url)
    this.#bare = bare
    this.#barePort = barePort
    this.#load = load
    this.#died = died
  }

  static async start({ directory, terminal, signal }: HttpOptions): Promise<Servers> {
    let onDeath: (error: ReplogError) => void = () => undefined
    const died = new Promise<never>((_resolve, reject) => {
      onDeath = reject
    })
    died.catch(() => undefined)
    const args = ['--data', join(directory, 'primary'), '--port', '0']
    const primary = await ChildServer.start('primary', args, terminal, (error) => {
      onDeath(error)
    })
    const children: MeasuringChild[] = []
    try {
      await new HttpClient(primary.url).execute(DEFAULT_CATALOG_NAME, CREATE_TABLE)
      const bare = MeasuringChild.start({ module: moduleOf('bare-server.js'), signal })
      children.push(bare)
      const { port } = await bare.ask<BareStarted>(asking('start'))
      const load = MeasuringChild.start({ module: moduleOf('load-child.js'), signal })
      children.push(load)
      return new Servers(primary, bare, port, load, died)
    } catch (error) {
      for (const child of children) await child.stop()
      await primary.stop()
      throw error
    }
  }

  async slice({ series, connections }: Place, seconds: number): Promise<SliceFigures> {
    const isPrimary = series === 'transaction'
    const request: LoadRequest = {
      kind: series === 'echo' ? 'echo' : 'post',
      port: isPrimary ? Number(new URL(this.#primary.url).port) : this.#barePort,
      path: isPrimary ? TRANSACTIONS_PATH : BARE_ROUTE,
      connections,
      seconds,
      firstId: this.#nextId,
    }
    const cpuBefore = await this.#cpuSeconds(isPrimary)
    const figures = await Promise.race([this.#load.ask<LoadFigures>(request), this.#died])
    const cpuAfter = await this.#cpuSeconds(isPrimary)
    if (isPrimary) {
      this.#nextId = figures.nextId
      this.#acknowledged += figures.answered
    }
    const { requests, answered, cpuSeconds, p50Ms, p99Ms } = figures
    return {
      requestsPerSecond: requests / figures.seconds,
      p50Ms,
      p99Ms,
      serverCpuUs: ((cpuAfter - cpuBefore) / answered) * 1e6,
      loadCpuUs: (cpuSeconds / requests) * 1e6,
    }
  }

  /** Whatever was acknowledged is there; what was under way when a slice ended may be. @throws ReplogError INTERNAL */
  async requireRows(): Promise<void> {
    const tables = await this.#client.tables(DEFAULT_CATALOG_NAME)
    const rows = tables.find(({ schema, name }) => `${schema}.${name}` === TABLE_NAME)?.rows ?? 0
    if (rows >= this.#acknowledged) return
    throw new ReplogError(
      'INTERNAL',
      `${this.#acknowledged} transactions were acknowledged, and ${rows} rows are there; run it again with --keep and ` +
        'report it with the data directory',
    )
  }

  async #cpuSeconds(isPrimary: boolean): Promise<number> {
    if (!isPrimary) return (await this.#bare.ask<BareUsage>(asking('usage'))).cpuSeconds
    const found = /^process_cpu_seconds_total(?:\{[^}]*\})? (\S+)$/m.exec(await this.#client.text('/metrics'))
    return Number(found![1])
  }

  async stop(): Promise<void> {
    await this.#load.stop()
    await this.#bare.stop()
    await this.#primary.stop()
  }
}

function asking(ask: BareRequest): { readonly ask: BareRequest } {
  return { ask }
}
