/** What tests of purging share: a log of rows with idempotency keys, and what lies in its store. */
import { Primary, type PrimaryOptions } from '../../primary/primary.js'
import type { Engine } from '../../store/engine.js'
import { IDEMPOTENCY_PREFIX, LOG_PREFIX, keyText, parseLogKey } from '../../store/keys.js'
import type { ManualClock } from '../primary/manual-clock.js'

export const PATH = '/memory'
const ALL = { entriesMax: 1_000_000, bytesMax: 1_000_000_000, reverse: false }
const COLUMNS = [
  { name: 'id', type: 'INTEGER' },
  { name: 'bytes', type: 'BLOB' },
]

/** LSN 1 founds, 2 makes the table. */
export async function openPrimary(engine: Engine, options: Partial<PrimaryOptions> = {}): Promise<Primary> {
  const primary = await Primary.open({ path: PATH, engine, scrubBytesPerSecond: 0, verifyIntervalMs: 0, ...options })
  if (primary.position.lsn < 2n) {
    await primary
      .catalog()
      .execute([{ createTable: { table: { name: 'rows', columns: COLUMNS, primaryKey: ['id'] } } }])
  }
  return primary
}

/** Commits a transaction for each LSN from the next one up to `last`; each has the idempotency key `key LSN`. */
export async function commitUpTo(primary: Primary, last: bigint, bytes = 10): Promise<void> {
  while (primary.position.lsn < last) await commit(primary, bytes)
}

export async function commit(primary: Primary, bytes = 10): Promise<bigint> {
  const next = primary.state.head.lsn + 1n
  const rows = [{ id: Number(next), bytes: Buffer.alloc(bytes, Number(next)) }]
  const { position } = await primary.catalog().execute([{ insert: { table: 'rows', rows } }], {
    idempotencyKey: `key ${next}`,
  })
  return position.lsn
}

/** The LSNs of the frames that lie in the store, whether anybody reads them or not. */
export async function storedLsns(engine: Engine): Promise<bigint[]> {
  const lsns = (await keysOf(engine, LOG_PREFIX)).map((key) => parseLogKey(key).lsn)
  return [...new Set<bigint>(lsns)]
}

/** The idempotency keys that have an outcome in the store, expired or not. */
export async function storedOutcomes(engine: Engine): Promise<string[]> {
  return (await keysOf(engine, IDEMPOTENCY_PREFIX)).map((key) => key.toString('utf8', 5))
}

/** Every key and value. */
export async function everything(engine: Engine): Promise<ReadonlyMap<string, Buffer>> {
  const { entries } = await engine.page({ from: Buffer.of(0), to: Buffer.of(0xff) }, ALL)
  return new Map(entries.map(({ key, value }) => [keyText(key), value]))
}

async function keysOf(engine: Engine, prefix: number): Promise<Buffer[]> {
  const range = { from: Buffer.of(prefix), to: Buffer.of(prefix + 1) }
  const { entries } = await engine.page(range, ALL)
  return entries.map(({ key }) => key)
}

/** Moves the time until a promise is settled: a purge has pauses. */
export async function advancing<Result>(clock: ManualClock, promise: Promise<Result>): Promise<Result> {
  let isSettled = false
  const settled = (): void => {
    isSettled = true
  }
  promise.then(settled, settled)
  for (let turns = 0; !isSettled && turns < 100_000; turns++) await clock.advance(1)
  return promise
}
