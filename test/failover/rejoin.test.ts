/**
 * Rejoin: whatever the old primary did behind the fork is undone, to the last key; what cannot be is refused before anything
 * is changed. G7: the server is a prefix of the new primary again. G1, G8: a crash at any batch leaves a note that leads to
 * the same end.
 */
import t from 'tap'
import type { LimitOptions } from '../../primary/limit-options.js'
import { Primary } from '../../primary/primary.js'
import { Replica } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { rejoin } from '../../tools/rejoin/rejoin.js'
import { SCENARIOS, type Scenario } from '../crash/ddl-scenarios.js'
import { outcomeOf } from '../primary/outcome.js'
import { caughtUp, differingKeys, makePair, NOWHERE, type Pair, peerOf, promoted } from './rejoining.js'

t.setTimeout(180_000)

const ALL: readonly Scenario[] = Object.values(SCENARIOS).flat()
/** Rows and more are deleted in the background. */
const ABANDONS = /^(dropTable|truncateTable|alterTable, a rewrite|dropSchema with its tables|definitions and rows)/
const NEVER = /^dropCatalog/

interface Old {
  readonly engine: MemoryEngine
  readonly transactions: bigint
}

/** The old primary goes on behind the fork; `purge`: until its background jobs are done, else they do not begin. */
async function oldPrimary(pair: Pair, { transactions, limits }: Scenario, purge: boolean): Promise<Old> {
  const engine = pair.primary.crash()
  const options: { limits?: LimitOptions } = limits === undefined ? {} : { limits }
  const primary = await Primary.open({ path: '/primary', engine, ...options })
  const { lsn } = primary.position
  const db = primary.catalog()
  await db.execute(
    [
      { update: { table: 'items', key: { id: 2 }, set: { code: 'changed', serial: 1 } } },
      { delete: { table: 'more.b', key: { id: 3 } } },
      { insert: { table: 'items', rows: [{ code: 'extra', grp: 1, serial: 99, twin: 99, pad: Buffer.of(9) }] } },
    ],
    { idempotencyKey: 'key of both' },
  )
  const reader = purge ? undefined : db.begin()
  if (reader !== undefined) await reader.get('groups', { id: 1 })
  for (const work of transactions) await work(primary)
  await primary.createCatalog('late')
  await primary.catalog('late').execute([
    {
      createTable: {
        table: { name: 'l', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: ['id'], rowImage: 'minimal' },
      },
    },
    { insert: { table: 'l', rows: [{ id: 1 }, { id: 2 }] } },
    { delete: { table: 'l', key: { id: 1 } } },
  ])
  if (purge) await primary.jobsDone()
  const extra = primary.position.lsn - lsn
  const crashed = engine.crash()
  await primary.close().catch(() => undefined)
  return { engine: crashed, transactions: extra }
}

void t.test('every kind of statement is undone to the last key, or refused with nothing changed', async (t) => {
  const pair = await makePair(t)
  const server = await promoted(t, pair)
  const sound = await caughtUp(t, pair.sound.crash(), server)
  for (const purge of [false, true]) {
    for (const scenario of ALL) {
      const name = `${scenario.name}${purge ? ', background jobs done' : ''}`
      const old = await oldPrimary(pair, scenario, purge)
      const peer = peerOf(server.primary)
      const before = old.engine.crash()
      const dry = await rejoin({ path: '/primary', engine: old.engine.crash(), peer, dryRun: true })
      t.equal(dry.transactions, Number(old.transactions), `${name}: the dry run knows them`)
      const engine = before.crash()
      const outcome = await outcomeOf(rejoin({ path: '/primary', engine, peer }))
      const isImpossible = NEVER.test(scenario.name) || (purge && ABANDONS.test(scenario.name))
      t.equal(outcome, isImpossible ? 'DIVERGED' : 'resolved', name)
      t.equal(dry.obstacles.length > 0, isImpossible, `${name}: ${dry.obstacles.join('; ')}`)
      if (isImpossible) t.same(await differingKeys(before.crash(), engine.crash()), [], `${name}: nothing was changed`)
      else t.same(await differingKeys(await caughtUp(t, engine.crash(), server), sound.crash()), [], name)
    }
  }
})

void t.test('G1: interrupted at any batch, it is opened by nobody and finished by the next attempt', async (t) => {
  const pair = await makePair(t)
  const server = await promoted(t, pair)
  const sound = await caughtUp(t, pair.sound.crash(), server)
  const peer = peerOf(server.primary)
  const names = ['definitions and rows in one transaction', 'createIndex as a job, unique', 'dropIndex', 'dropTable']
  for (const scenario of ALL.filter(({ name }) => names.includes(name))) {
    const old = await oldPrimary(pair, scenario, false)
    let isDone = false
    let interrupted = 0
    for (let nth = 1; !isDone; nth++) {
      for (const hook of ['beforeSync', 'afterSync'] as const) {
        let batches = 0
        const cut = (): Promise<void> =>
          ++batches === nth ? Promise.reject(new Error('power cut')) : Promise.resolve()
        const engine = old.engine.crash({ [hook]: cut })
        const outcome = await outcomeOf(rejoin({ path: '/primary', engine, peer }))
        isDone = outcome === 'resolved'
        if (isDone) break
        interrupted++
        t.equal(outcome, 'COMMIT_UNKNOWN', `${scenario.name}, batch ${nth}, ${hook}`)
        const found = engine.crash()
        if (nth > 1) {
          const opened = Replica.open({ path: '/primary', engine: found.crash(), from: NOWHERE })
          if (await isNoted(found)) t.equal(await outcomeOf(opened), 'INVALID_ARGUMENT')
          else await (await opened).close()
        }
        const again = found.crash()
        await rejoin({ path: '/primary', engine: again, peer })
        t.same(await differingKeys(await caughtUp(t, again.crash(), server), sound.crash()), [], `${nth} ${hook}`)
      }
    }
    t.ok(interrupted > 5, `${scenario.name}: it takes several batches`)
  }
})

async function isNoted(found: MemoryEngine): Promise<boolean> {
  const copy = found.crash()
  const noted = copy.get(Buffer.from('Mrejoin')) !== undefined
  await copy.close()
  return noted
}

void t.test('who is not to be followed is refused, and so is a fork that was purged', async (t) => {
  const pair = await makePair(t)
  const server = await promoted(t, pair)
  const peer = peerOf(server.primary)
  const again = (other: object, engine = pair.primary.crash()) =>
    outcomeOf(rejoin({ path: '/primary', engine, peer: { ...peer, ...other } }))
  t.equal(await again({ clusterId: '0'.repeat(32) }), 'FOREIGN_CLUSTER')
  const own = await Primary.open({ path: '/primary', engine: pair.primary.crash() })
  t.equal(await again({ serverId: own.state.identity.serverId.toString('hex') }), 'FOREIGN_CLUSTER')
  t.equal(await again({ role: 'replica', head: own.position }), 'FENCED', 'its own replica is no new primary')
  t.equal(await again({ head: { ...own.position, epoch: 0 } }), 'FENCED', 'an older epoch')
  t.equal(await again({ floor: own.position.lsn + 1n }), 'HISTORY_LOST')
  t.equal(await again({ positionAt: () => Promise.resolve({ ...own.position, epoch: 9 }) }), 'HISTORY_LOST')
  await own.close()
  t.equal(await outcomeOf(rejoin({ path: '/new', engine: new MemoryEngine(), peer })), 'NOT_FOUND')

  const equal = await rejoin({ path: '/primary', engine: pair.primary.crash(), peer })
  t.match(equal, { transactions: 0, file: null, resumed: false, obstacles: [] })
  t.same(equal.fork, own.position, 'an old primary whose log is a prefix only changes its role')
})
