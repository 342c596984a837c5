/**
 * A slower device: waits so many microseconds more after every sync that returned, in every mode alike. It is the only
 * place that adds a delay, and it adds it to real syncs, so nothing is faster or less durable than it looks.
 *
 * With a delay of 0 the engine is passed on as it is: the product's own path then runs without a wrapper.
 *
 * Timers of Node count in milliseconds. Most of the time is slept, and the rest is spent in turns of the event loop, in
 * which other transactions go on, so the delay is exact to some microseconds as long as the loop is not busy.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Engine, EngineBatch } from '../../../store/engine.js'

/** A timer may be late by about this; what is left then is waited for in turns. */
const TIMER_SLACK_MS = 1.5

export async function delayOf(delayUs: number): Promise<void> {
  const until = performance.now() + delayUs / 1000
  const slept = delayUs / 1000 - TIMER_SLACK_MS
  if (slept >= 1) await sleep(slept)
  while (performance.now() < until) await nextTurn()
}

/** The engine with slower syncs. */
export function delayedEngine(engine: Engine, delayUs: number): Engine {
  if (delayUs === 0) return engine
  return {
    get: (key) => engine.get(key),
    getMany: (keys) => engine.getMany(keys),
    page: (range, options) => engine.page(range, options),
    batch: () => delayedBatch(engine.batch(), delayUs),
    compact: (range) => engine.compact(range),
    close: () => engine.close(),
    get syncs() {
      return engine.syncs
    },
  }
}

function delayedBatch(batch: EngineBatch, delayUs: number): EngineBatch {
  return {
    put(key, value) {
      batch.put(key, value)
    },
    del(key) {
      batch.del(key)
    },
    async writeSynced() {
      await batch.writeSynced()
      await delayOf(delayUs)
    },
    discard: () => batch.discard(),
  }
}
