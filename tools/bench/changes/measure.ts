/**
 * The measurement of `bench changes`: stores with one, ten and a hundred rows in each transaction, whose changes are read
 * from the beginning, embedded and over HTTP, in turns; and one that is read long, for its memory.
 *
 * Invariants: who reads has a process of its own that lives through the whole run; the server of the HTTP readings is the
 * program that operators start; the first turn of each is not counted; every reading reads all changes.
 */
import { rm } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ChildServer } from '../../pair/child-server.js'
import type { Terminal } from '../../terminal.js'
import { deviceOf } from '../fsync/device.js'
import { thisMachine } from '../machine.js'
import { MeasuringChild } from '../measuring-child.js'
import { rounded } from '../samples.js'
import { benchmarkIsWrong } from '../traced-syncs.js'
import { type ChangesReport, type MeasuredChanges, READERS, type Reader, memoryOf, summarizeChanges } from './report.js'
import type { ChangesRequest, Filled, ReadFigures } from './requests.js'

export interface ChangesMeasureOptions {
  /** An empty directory on the device that is measured. */
  readonly directory: string
  readonly changes: number
  readonly memoryChanges: number
  readonly rowsPerTransaction: readonly number[]
  readonly repetitions: number
  readonly keep: boolean
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onProgress: (phase: string, done: number, of: number) => void
}

const CHILD = fileURLToPath(new URL('changes-child.js', import.meta.url))
const MEMORY_ROWS = 10

/** @throws ReplogError CLOSED when it was stopped; INTERNAL when not everything was read; what a store or server throws */
export async function measureChanges(options: ChangesMeasureOptions): Promise<ChangesReport> {
  const { directory, changes, memoryChanges, repetitions, signal } = options
  const before = loadavg()[0]!
  const readers = new Readers(options)
  const measured: MeasuredChanges[] = []
  try {
    for (const rowsPerTransaction of options.rowsPerTransaction) {
      const path = await readers.fill(changes, rowsPerTransaction)
      const figures: Record<Reader, ReadFigures[]> = { embedded: [], ndjson: [] }
      for (let repetition = 0; repetition <= repetitions; repetition++) {
        signal.throwIfAborted()
        options.onProgress(`reading, ${rowsPerTransaction} in each transaction`, repetition, repetitions + 1)
        for (const reader of repetition % 2 === 0 ? READERS : READERS.toReversed()) {
          const read = await readers.read(reader, path, changes)
          if (repetition > 0) figures[reader].push(read)
        }
      }
      for (const reader of READERS) measured.push({ place: { reader, rowsPerTransaction }, figures: figures[reader] })
      await readers.forget(path)
    }
    const path = await readers.fill(memoryChanges, MEMORY_ROWS)
    options.onProgress('reading long', 0, 1)
    const long = await readers.read('embedded', path, memoryChanges)
    await readers.forget(path)
    const order = (reader: Reader): number => READERS.indexOf(reader)
    return {
      benchmark: 'changes',
      measuredAt: new Date().toISOString(),
      machine: thisMachine(),
      device: await deviceOf(directory),
      loadAverage: { before: rounded(before, 2), after: rounded(loadavg()[0]!, 2) },
      settings: { changes, memoryChanges, repetitions },
      series: summarizeChanges(measured.sort((one, other) => order(one.place.reader) - order(other.place.reader))),
      memory: memoryOf({ reader: 'embedded', rowsPerTransaction: MEMORY_ROWS }, long),
    }
  } finally {
    await readers.stop()
  }
}

class Readers {
  readonly #options: ChangesMeasureOptions
  readonly #children: Readonly<Record<Reader, MeasuringChild>>
  #stores = 0

  constructor(options: ChangesMeasureOptions) {
    this.#options = options
    const { signal, onProgress } = options
    const start = (): MeasuringChild => MeasuringChild.start({ module: CHILD, signal, onProgress })
    this.#children = { embedded: start(), ndjson: start() }
  }

  /** @returns the path of the store */
  async fill(changes: number, rowsPerTransaction: number): Promise<string> {
    const path = join(this.#options.directory, `store-${++this.#stores}`)
    await this.#ask<Filled>('embedded', { kind: 'fill', path, changes, rowsPerTransaction })
    return path
  }

  /** @throws ReplogError INTERNAL when it found another number of changes */
  async read(reader: Reader, path: string, changes: number): Promise<ReadFigures> {
    const figures =
      reader === 'embedded' ? await this.#ask<ReadFigures>(reader, { kind: reader, path }) : await this.#overHttp(path)
    if (figures.changes === changes) return figures
    throw benchmarkIsWrong(`${reader} read ${figures.changes} of ${changes} changes`)
  }

  async forget(path: string): Promise<void> {
    if (!this.#options.keep) await rm(path, { recursive: true })
  }

  async stop(): Promise<void> {
    for (const child of Object.values(this.#children)) await child.stop()
  }

  async #overHttp(path: string): Promise<ReadFigures> {
    let onDeath: (error: Error) => void = () => undefined
    const died = new Promise<never>((_resolve, reject) => {
      onDeath = reject
    })
    died.catch(() => undefined)
    const args = ['--data', path, '--port', '0']
    const server = await ChildServer.start('primary', args, this.#options.terminal, (error) => {
      onDeath(error)
    })
    try {
      return await Promise.race([this.#ask<ReadFigures>('ndjson', { kind: 'ndjson', url: server.url }), died])
    } finally {
      await server.stop()
    }
  }

  #ask<Answer>(reader: Reader, request: ChangesRequest): Promise<Answer> {
    return this.#children[reader].ask<Answer>(request)
  }
}
