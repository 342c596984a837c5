/**
 * An engine in memory whose power is cut at a named point: at one of the steps that batches make, on one side of its
 * sync. From there on no batch returns; what a restart finds is what was durable.
 *
 *   writeSynced ── `before it is written` ── in the engine ── `written, not synced` ── durable, visible
 *               ── `synced, nobody told` ── resolved
 *
 * Without a point it runs through and notes the steps, which are the points for later runs.
 */
import type { Engine, EngineBatch, KeyRange, Page, PageOptions } from '../../store/engine.js'
import type { MemoryEngine } from '../../store/memory-engine.js'
import { type BatchSteps, type Operation, type Step, StepNames } from './crash-steps.js'

export const CUTS = ['before it is written', 'written, not synced', 'synced, nobody told'] as const
export type Cut = (typeof CUTS)[number]

/** The batch that makes a step for the nth time, counted from 1. */
export interface CrashPoint {
  readonly step: Step
  readonly nth: number
  readonly cut: Cut
}

/** The name of a batch: its first step, and which batch with that step it is. */
export type PassedBatch = Omit<CrashPoint, 'cut'> & BatchSteps

export class CutEngine implements Engine {
  /** Resolves at the point. */
  readonly reached: Promise<void>
  /** Batches with steps, so far. */
  readonly passed: PassedBatch[] = []
  /** Transactions that somebody asked for: those that may have been acknowledged, and those that are durable. */
  acknowledged = 0
  durable = 0
  readonly #point: CrashPoint | undefined
  readonly #inner: MemoryEngine
  readonly #names = new StepNames()
  readonly #counts = new Map<Step, number>()
  #reach: () => void = () => undefined
  #cut: Cut | undefined
  #fail: ((error: Error) => void) | undefined

  /** Begins with what is durable in `from`. */
  constructor(from: MemoryEngine, point?: CrashPoint) {
    this.#point = point
    this.#inner = from.crash({ beforeSync: () => this.#pass('written, not synced') })
    this.reached = new Promise((resolve) => (this.#reach = resolve))
  }

  get syncs(): number {
    return this.#inner.syncs
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.#inner.get(key)
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    return this.#inner.getMany(keys)
  }

  page(range: KeyRange, options: PageOptions): Promise<Page> {
    return this.#inner.page(range, options)
  }

  batch(): EngineBatch {
    const batch = this.#inner.batch()
    const operations: Operation[] = []
    return {
      put: (key, value) => {
        batch.put(key, value)
        operations.push({ key: Buffer.from(key), value: Buffer.from(value) })
      },
      del: (key) => {
        batch.del(key)
        operations.push({ key: Buffer.from(key), value: undefined })
      },
      writeSynced: async () => {
        const { asked } = this.#note(operations)
        await this.#pass('before it is written')
        await batch.writeSynced()
        this.durable += asked
        await this.#pass('synced, nobody told')
        this.acknowledged += asked
      },
      discard: () => batch.discard(),
    }
  }

  compact(): Promise<void> {
    return this.#inner.compact()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  /** Ends this engine and the batch that is held in it. @returns the one that a restart opens */
  powerOff(): MemoryEngine {
    const found = this.#inner.crash()
    this.#fail?.(new Error('the power was cut'))
    return found
  }

  /** Names a batch, and arms the cut when it is the one. */
  #note(operations: readonly Operation[]): BatchSteps {
    const batch = this.#names.of(operations)
    for (const step of batch.steps) {
      const nth = (this.#counts.get(step) ?? 0) + 1
      this.#counts.set(step, nth)
      if (step === this.#point?.step && nth === this.#point.nth) this.#cut = this.#point.cut
    }
    const [step] = batch.steps
    if (step !== undefined) this.passed.push({ ...batch, step, nth: this.#counts.get(step)! })
    return batch
  }

  async #pass(at: Cut): Promise<void> {
    if (this.#cut !== at) return
    this.#reach()
    await new Promise<never>((_resolve, reject) => (this.#fail = reject))
  }
}
