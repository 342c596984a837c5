/** A primary and its replica whose histories part, in memory, and how two stores are compared to the last key. */
import type { Test } from 'tap'
import type { Primary } from '../../primary/primary.js'
import { positionAt } from '../../log/position-at.js'
import type { LimitOptions } from '../../primary/limit-options.js'
import { Replica } from '../../replica/replica.js'
import type { Engine } from '../../store/engine.js'
import { keyBytes, keyText, describeKey, metaKey } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import type { Peer } from '../../tools/rejoin/http-peer.js'
import { type Image, Problems, sweep } from '../crash/store-contents.js'
import { makeBase } from '../crash/ddl-scenarios.js'
import { type Served, follow, serve } from '../replication/linked-pair.js'

export const NOWHERE = 'http://127.0.0.1:1'

export interface Pair {
  /** Both with the same log; each `crash()` is a copy of its own. */
  readonly primary: MemoryEngine
  readonly replica: MemoryEngine
  /** A second replica, which never leaves the history. */
  readonly sound: MemoryEngine
}

/** A primary with a little of everything, and two replicas, all stopped at one position. */
export async function makePair(t: Test): Promise<Pair> {
  const [primary, replica, sound] = [new MemoryEngine(), new MemoryEngine(), new MemoryEngine()]
  const served = await serve(t, { path: '/primary', engine: primary })
  await makeBase(served.primary)
  for (const engine of [replica, sound]) {
    const following = await follow(t, { path: '/replica', engine, from: served.url })
    await following.waitFor(served.primary.position.lsn)
    await following.jobsDone()
    await following.close()
  }
  await served.close()
  return { primary: primary.crash(), replica: replica.crash(), sound: sound.crash() }
}

/** The replica has become the primary and has gone on by itself. */
export async function promoted(t: Test, { replica }: Pair, limits: LimitOptions = {}): Promise<Served> {
  const engine = replica.crash()
  const one = await Replica.open({ path: '/replica', engine, from: NOWHERE })
  await one.becomePrimary()
  await one.close()
  const served = await serve(t, { path: '/replica', engine: engine.crash(), limits })
  await goOn(served.primary)
  return served
}

/** What takes the ids that the old primary has taken, too. */
async function goOn(primary: Primary): Promise<void> {
  const db = primary.catalog()
  await db.execute([
    { createTable: { table: { name: 'other', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] } } },
    { insert: { table: 'other', rows: [{ id: 1 }, { id: 2 }] } },
    { createIndex: { table: 'items', index: { name: 'other', columns: ['twin', 'code'] } } },
    { update: { table: 'items', key: { id: 3 }, set: { serial: 333 } } },
    { insert: { table: 'items', rows: [{ code: 'new', grp: 2, serial: 7, twin: 7, pad: Buffer.of(7) }] } },
  ])
  await db.execute([{ insert: { table: 'other', rows: [{ id: 3 }] } }], { idempotencyKey: 'key of both' })
  await primary.createCatalog('another')
  await primary.jobsDone()
}

export function peerOf({ state }: Primary, role: Peer['role'] = 'primary'): Peer {
  const { identity } = state
  return {
    url: 'http://peer',
    role,
    clusterId: identity.clusterId!.toString('hex'),
    serverId: identity.serverId.toString('hex'),
    floor: state.trimFloor,
    head: state.durable,
    positionAt: async (lsn) => (await positionAt(state, lsn)).position,
  }
}

/** The store of a replica on this engine when it has all that the server has. */
export async function caughtUp(t: Test, engine: MemoryEngine, server: Served): Promise<MemoryEngine> {
  const replica = await follow(t, { path: '/following', engine, from: server.url })
  await replica.waitFor(server.primary.position.lsn)
  await replica.jobsDone()
  await replica.close()
  return engine.crash()
}

/** Every key in which the two stores differ, but for who they are and marks that may stand ahead. */
export async function differingKeys(one: Engine, other: Engine): Promise<string[]> {
  const [first, second] = [await image(one), await image(other)]
  const texts = new Set([...first.keys(), ...second.keys()])
  const differing = [...texts].filter((text) => {
    const [a, b] = [first.get(text), second.get(text)]
    return a === undefined || b === undefined || !a.equals(b)
  })
  const show = (payload: Buffer | undefined): string => payload?.subarray(0, 40).toString('hex') ?? 'nothing'
  return differing.map((text) => `${describeKey(keyBytes(text))}: ${show(first.get(text))} ≠ ${show(second.get(text))}`)
}

const OWN_META = new Set(['server-id', 'ids'].map((name) => keyText(metaKey(name))))
const AUTO_INCREMENT = { from: 16, to: 24 }

async function image(engine: Engine): Promise<Image> {
  const problems = new Problems()
  const { log, meta, stats, ...others } = await sweep(engine, problems)
  if (problems.list.length > 0) throw new Error(problems.list.join('\n'))
  const all: Image = new Map(Object.values(others).flatMap((part) => [...part]))
  for (const [text, payload] of meta) if (!OWN_META.has(text)) all.set(text, payload)
  for (const [text, payload] of stats) {
    const counted = Buffer.from(payload)
    counted.fill(0, AUTO_INCREMENT.from, AUTO_INCREMENT.to)
    if (counted.some((byte) => byte !== 0)) all.set(text, counted)
  }
  for (const { lsn, segment, frame } of log) all.set(`L${lsn}/${segment}`, Buffer.from(frame.bytes))
  return all
}
