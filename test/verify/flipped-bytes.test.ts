/**
 * Flip any bit of a log frame, a row, an index entry or a counter: it is found and named in every trial, and a repair from a
 * peer, wherever that stands, restores the whole key space byte for byte. (G8)
 *
 * REPLOG_FLIP_TRIALS says how many trials; 200 when it does not.
 */
import t from 'tap'
import { ReplogError, isReplogError } from '../../core/errors.js'
import type { Entry } from '../../store/engine.js'
import { openState } from '../../log/open-state.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { assertNoRepair } from '../../log/verify/repair-note.js'
import type { RepairPeer } from '../../log/verify/repair-peer.js'
import { repairStore } from '../../log/verify/repair.js'
import { verifyStore } from '../../log/verify/verify-store.js'
import { Primary } from '../../primary/primary.js'
import { CATALOG_STATS_PREFIX, INDEX_PREFIX, LOG_PREFIX, ROW_PREFIX, STATS_PREFIX } from '../../store/keys.js'
import { seal, unseal } from '../../store/seal.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { ITEMS } from '../replication/tables.js'
import { change, differences, engineOf, entriesOf, peerOf, storeOn } from './in-memory.js'

const TRIALS = Number(process.env['REPLOG_FLIP_TRIALS'] ?? 200)

const options = { onFlaw: () => undefined, onProgress: () => undefined }
const PREFIXES = [LOG_PREFIX, ROW_PREFIX, INDEX_PREFIX, STATS_PREFIX, CATALOG_STATS_PREFIX]

interface Cluster {
  /** The whole store at the position in question. */
  readonly image: readonly Entry[]
  /** Servers of the same history: at that position, behind it and ahead of it. */
  readonly peers: readonly ReplicatedState[]
}

async function cluster(random: Random): Promise<Cluster> {
  const engine = await engineOf([])
  const primary = await Primary.open({ path: 'p', engine, verifyIntervalMs: 0 })
  t.teardown(() => primary.close())
  const db = primary.catalog()
  await db.transaction(async (tx) => {
    await tx.createTable(ITEMS)
    await tx.createTable({ ...ITEMS, name: 'brief', options: {}, rowImage: 'minimal' })
  })
  const work = async (commits: number): Promise<void> => {
    for (let turn = 0; turn < commits; turn++) {
      const table = random.chance(0.7) ? 'items' : 'brief'
      const id = BigInt(1 + random.below(80))
      const code = `${table} ${turn} ${random.below(1e6)}`
      const kind = random.below(10)
      if (kind < 6) await db.execute([{ insert: { table, rows: [{ group: random.below(9), code }] } }])
      else if (kind < 9) await db.execute([{ update: { table, key: { id }, set: { code, group: null } } }])
      else await db.execute([{ delete: { table, key: { id } } }])
    }
  }
  await work(120)
  const behindImage = await entriesOf(engine)
  await work(60)
  const image = await entriesOf(engine)
  const open = async (entries: readonly Entry[]): Promise<ReplicatedState> => {
    const state = await openState({ path: 'peer', role: 'primary', engine: await engineOf(entries) })
    t.teardown(() => state.close())
    return state
  }
  const peers = [await open(image), await open(behindImage)]
  await work(50)
  return { image, peers: [...peers, primary.state] }
}

function flippedAt(value: Buffer, at: number): Buffer {
  const flipped = Buffer.from(value)
  flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at)
  return flipped
}

/** The stored value with one bit turned, or, of a sealed one, with another content under a seal that holds. */
function damaged({ key, value }: Entry, random: Random): Buffer | undefined {
  const kind = random.below(10)
  if (kind === 0) return undefined
  const isSealed = key[0] !== LOG_PREFIX
  if (kind === 1 && isSealed && value.length > 8 && key[0] === ROW_PREFIX) {
    const payload = Buffer.from(unseal(key, value))
    payload[payload.length - 1]! ^= 1
    return Buffer.from(seal(key, payload))
  }
  const flipped = Buffer.from(value)
  flipped[random.below(value.length)]! ^= 1 << random.below(8)
  return flipped
}

void t.test(`${TRIALS} flipped bits: each is named, and mended from a peer`, async (t) => {
  t.comment(`REPLOG_TEST_SEED=${TEST_SEED}`)
  const random = new Random(TEST_SEED)
  const { image, peers } = await cluster(random)
  const byPrefix = new Map(PREFIXES.map((prefix) => [prefix, image.filter(({ key }) => key[0] === prefix)]))
  const newestFrame = byPrefix.get(LOG_PREFIX)!.at(-1)!
  let missed = 0
  let unnamed = 0
  let unequal = 0
  let refused = 0
  for (let trial = 0; trial < TRIALS; trial++) {
    const engine = await engineOf(image)
    // Frames and rows are what matters most.
    const prefix = random.chance(0.8) ? random.pick([LOG_PREFIX, ROW_PREFIX]) : random.pick(PREFIXES)
    const victims = Array.from({ length: random.chance(0.2) ? 4 : 1 }, () => random.pick(byPrefix.get(prefix)!))
    for (const victim of victims) {
      // Of the newest frame something has to be left: else nothing tells it from that of another history.
      const turned = damaged(victim, random) ?? (victim === newestFrame ? flippedAt(victim.value, 0) : undefined)
      await change(engine, [[victim.key, turned]])
    }
    const peer = random.pick(peers)
    const what = `trial ${trial}: ${victims.map(({ key }) => key.toString('hex')).join(' ')} with peer ${peers.indexOf(peer)}`

    const store = storeOn(engine)
    const found = await verifyStore(store, options)
    if (found.flawCount === 0) {
      missed++
      t.fail(`${what} was not found`)
      continue
    }
    const named = victims.every(({ key }) =>
      found.flaws.some(({ from, to, storageId }) => {
        const isInRange = from !== null && from <= key.toString('hex') && key.toString('hex') <= to!
        // Statistics that are gone show as a table that has more rows than are counted.
        return isInRange || (key[0] === STATS_PREFIX && storageId === key.readUInt32BE(1))
      }),
    )
    if (!named) {
      unnamed++
      t.fail(`${what} was not named: ${JSON.stringify(found.flaws)}`)
    }
    const repair = async (from: ReplicatedState): Promise<string> => {
      try {
        const report = await repairStore(store, peerOf(from), { dryRun: false, onStep: () => undefined })
        return report.leftCount === 0 ? '' : JSON.stringify(report)
      } catch (error) {
        if (isReplogError(error, 'HISTORY_LOST')) return error.message
        throw error
      }
    }
    let failure = await repair(peer)
    if (failure !== '' && peer !== peers[0]) {
      // Frames behind the peer's end; a counter that is lost here, or a row whose past is not in the log: only a peer at
      // the same LSN has them. What the first attempt left is no hindrance.
      refused++
      failure = await repair(peers[0]!)
    }
    if (failure !== '') t.fail(`${what} was not mended: ${failure}`)
    const left = differences(image, await entriesOf(engine))
    if (left.length > 0) {
      unequal++
      t.fail(`${what} is not what it was: ${left.join(' ')}`)
    }
  }
  t.same({ missed, unnamed, unequal }, { missed: 0, unnamed: 0, unequal: 0 })
  t.comment(`${refused} of ${TRIALS} needed a peer at the same LSN`)
})

void t.test('a dry run says what it would do and changes nothing', async (t) => {
  const random = new Random(TEST_SEED)
  const { image, peers } = await cluster(random)
  const engine = await engineOf(image)
  const row = image.find(({ key }) => key[0] === ROW_PREFIX)!
  await change(engine, [[row.key, undefined]])
  const before = await entriesOf(engine)
  const report = await repairStore(storeOn(engine), peerOf(peers[0]!), { dryRun: true, onStep: () => undefined })
  t.match(report, { dryRun: true, tables: [{ rowsPut: 1, rowsDeleted: 0 }] })
  t.same(differences(before, await entriesOf(engine)), [])
})

void t.test('a repair that loses its peer at any step is not served, and the next one ends it', async (t) => {
  const random = new Random(TEST_SEED)
  const { image, peers } = await cluster(random)
  // Of the first table: the other one's changes leave the row before out, so a peer ahead cannot say what a lost row was.
  const all = image.filter(({ key }) => key[0] === ROW_PREFIX)
  const rows = all.filter(({ key }) => key.readUInt32BE(1) === all[0]!.key.readUInt32BE(1))
  const frames = image.filter(({ key }) => key[0] === LOG_PREFIX)
  const peer = peerOf(peers[2]!)
  let untouched = 0
  let halfDone = 0
  for (let calls = 0, ended = false; !ended; calls++) {
    const engine = await engineOf(image)
    for (const { key, value } of [rows[3]!, rows.at(-1)!, frames[9]!, frames[40]!]) {
      await change(engine, [[key, flippedAt(value, value.length - 1)]])
    }
    const before = await entriesOf(engine)
    let left = calls
    const asked = (): void => {
      if (left-- === 0) throw new ReplogError('UNREACHABLE', 'the peer is gone')
    }
    const leaving: RepairPeer = {
      url: peer.url,
      frames(after) {
        asked()
        return peer.frames(after)
      },
      rows(...page) {
        asked()
        return peer.rows(...page)
      },
    }
    const store = storeOn(engine)
    try {
      await repairStore(store, leaving, { dryRun: false, onStep: () => undefined })
      ended = true
    } catch (error) {
      t.ok(isReplogError(error, 'UNREACHABLE'))
      const asked = (): void => {
        assertNoRepair(store, 'DIR')
      }
      if (differences(before, await entriesOf(engine)).length === 0) {
        untouched++
        t.doesNotThrow(asked, 'nothing was changed')
      } else {
        halfDone++
        t.throws(asked, /a repair of DIR was interrupted/)
      }
      await repairStore(store, peer, { dryRun: false, onStep: () => undefined })
    }
    assertNoRepair(store, 'DIR')
    t.same(differences(image, await entriesOf(engine)), [], `after ${calls} answers`)
  }
  t.ok(untouched > 0 && halfDone > 0, `${untouched} left the store as it was, ${halfDone} their note`)
})
