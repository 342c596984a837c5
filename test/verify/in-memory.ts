/** Stores in memory that can be copied, damaged at any byte and compared key by key. */
import { systemClock } from '../../core/clock.js'
import type { Lsn } from '../../core/position.js'
import { LogCursor } from '../../log/log-cursor.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { peerRows } from '../../log/verify/peer-rows.js'
import type { RepairPeer } from '../../log/verify/repair-peer.js'
import type { Engine, Entry } from '../../store/engine.js'
import { keyAfter, keyText } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Store } from '../../store/store.js'

/** All that a store holds, in the order of its keys. */
export async function entriesOf(engine: Engine): Promise<Entry[]> {
  const all: Entry[] = []
  for (let from: Uint8Array = Buffer.alloc(0); ;) {
    const range = { from, to: Buffer.of(0xff, 0xff) }
    const page = await engine.page(range, { entriesMax: 1000, bytesMax: 1 << 20, reverse: false })
    all.push(...page.entries)
    if (page.exhausted) return all
    from = keyAfter(all.at(-1)!.key)
  }
}

export async function engineOf(entries: readonly Entry[]): Promise<MemoryEngine> {
  const engine = new MemoryEngine()
  await change(
    engine,
    entries.map(({ key, value }) => [key, value]),
  )
  return engine
}

/** Past every check, as a disk would. */
export async function change(
  engine: Engine,
  values: readonly (readonly [Buffer, Buffer | undefined])[],
): Promise<void> {
  if (values.length === 0) return
  const batch = engine.batch()
  for (const [key, value] of values) {
    if (value === undefined) batch.del(key)
    else batch.put(key, value)
  }
  await batch.writeSynced()
}

/** The keys whose values differ, or that one side lacks; none when the whole key spaces are equal. */
export function differences(one: readonly Entry[], other: readonly Entry[]): string[] {
  const values = new Map(one.map(({ key, value }) => [keyText(key), value]))
  const differing: string[] = []
  for (const { key, value } of other) {
    if (values.get(keyText(key))?.equals(value) !== true) differing.push(key.toString('hex'))
    values.delete(keyText(key))
  }
  return [...differing, ...[...values.keys()].map((text) => Buffer.from(text, 'latin1').toString('hex'))]
}

export function storeOn(engine: Engine): Store {
  return new Store({ engine, clock: systemClock, path: 'memory', freeBytes: () => Promise.resolve(Infinity) })
}

/** A server of this process as a peer. */
export function peerOf(state: ReplicatedState): RepairPeer {
  return {
    url: 'memory://peer',
    async *frames(after: Lsn) {
      const cursor = new LogCursor(state, after)
      while (!cursor.atHead) yield Buffer.from((await cursor.read(1 << 16)).bytes)
    },
    rows: (tableId, storageId, from) => peerRows(state, tableId, storageId, from),
  }
}
