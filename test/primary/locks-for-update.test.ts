/** G2, G4, G5 with `getForUpdate`: the newest row, nobody else's until the commit has its place, and no deadlock stays. */
import t, { type Test } from 'tap'
import { ReplogError } from '../../core/errors.js'
import { LOCK_WAIT_MS_DEFAULT } from '../../core/limits.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary, type PrimaryOptions } from '../../primary/primary.js'
import { keyText } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { PageGatedEngine } from './locks-page-gate.js'
import { ManualClock } from './manual-clock.js'
import { type GatedPrimary, openGated, openOnDisk } from './open-primary.js'
import { collect, outcomeOf, outcomeSoon } from './outcome.js'

const TABLE: TableDefinition = {
  name: 'things',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'n', type: 'BIGINT', notNull: true },
  ],
  primaryKey: ['id'],
}

async function openThings(t: Test, options: Omit<PrimaryOptions, 'path' | 'engine'> = {}): Promise<GatedPrimary> {
  const opened = await openGated(t, options)
  await makeThings(opened.db)
  return opened
}

async function makeThings(db: Catalog): Promise<void> {
  await db.execute([
    { createTable: { table: TABLE } },
    { insert: { table: 'things', rows: [1, 2, 3, 4, 5].map((id) => ({ id, n: 0 })) } },
  ])
}

function setN(db: Catalog, id: number, n: number): Promise<unknown> {
  return db.execute([{ update: { table: 'things', key: { id }, set: { n } } }])
}

function valueOf(db: Catalog, id: number): unknown {
  return db.get('things', { id })?.['n']
}

void t.test('it reads the newest committed row, and the snapshot moves up with it', async (t) => {
  const { db } = await openThings(t)
  const tx = db.begin()
  const before = tx.snapshotLsn
  t.match(await tx.get('things', { id: 1 }), { n: 0n })
  await setN(db, 2, 20)
  await setN(db, 3, 30)
  t.match(await tx.get('things', { id: 3 }), { n: 0n }, 'a plain get reads at the snapshot')
  await setN(db, 3, 0)
  tx.rollback()

  const next = db.begin()
  t.match(await next.get('things', { id: 1 }), { n: 0n })
  await setN(db, 2, 21)
  t.match(await next.getForUpdate('things', { id: 2 }), { n: 21n })
  t.ok(next.snapshotLsn > before)
  await setN(db, 4, 40)
  const at = next.snapshotLsn
  t.match(await next.getForUpdate('things', { id: 5 }), { n: 0n })
  t.equal(next.snapshotLsn, at, 'the row did not change, so the snapshot stays')
  await next.update('things', { id: 2 }, { n: 22 })
  const { position } = await next.commit()
  t.equal(position.lsn, at + 2n)
  t.equal(valueOf(db, 2), 22n)
})

void t.test(
  'when something else that it read has changed it is rolled back with CONFLICT, and says so ever after',
  async (t) => {
    const { db, primary } = await openThings(t)
    const read: Record<string, (tx: ReturnType<Catalog['begin']>) => Promise<unknown>> = {
      'a row': (tx) => tx.get('things', { id: 1 }),
      'the row itself': (tx) => tx.get('things', { id: 2 }),
      'a range': (tx) => collect(tx.scan('things')),
      'the absence of a row': (tx) => tx.check('things', { id: 9 }, { exists: false }),
    }
    for (const [what, look] of Object.entries(read)) {
      const tx = db.begin()
      await look(tx)
      await db.execute([
        { update: { table: 'things', key: { id: 1 }, set: { n: { add: 1 } } } },
        { update: { table: 'things', key: { id: 2 }, set: { n: { add: 1 } } } },
        { insert: { table: 'things', rows: [{ id: 9, n: 9 }] } },
      ])
      t.equal(await outcomeOf(tx.getForUpdate('things', { id: 2 })), 'CONFLICT', what)
      t.equal(tx.status, 'rolled back')
      t.equal(await outcomeOf(tx.get('things', { id: 3 })), 'CONFLICT', 'it is told why')
      t.equal(await outcomeOf(tx.commit()), 'CONFLICT')
      t.equal(primary.locks.size, 0)
      await db.execute([{ delete: { table: 'things', key: { id: 9 } } }])
    }
    t.equal(primary.openTransactions, 0)
    t.equal(primary.state.versions.openSnapshots, 0)
  },
)

void t.test('a definition that changed meanwhile ends it with SCHEMA_CHANGED', async (t) => {
  const { db, primary } = await openThings(t)
  await db.execute([{ createTable: { table: { ...TABLE, name: 'other' } } }])
  const tx = db.begin()
  t.equal(await tx.get('other', { id: 1 }), undefined)
  await db.execute([{ dropTable: { table: 'other' } }])
  await setN(db, 1, 1)
  t.equal(await outcomeOf(tx.getForUpdate('things', { id: 1 })), 'SCHEMA_CHANGED')
  t.equal(tx.status, 'rolled back')
  t.equal(primary.locks.size, 0)
})

for (const side of ['before', 'after'] as const) {
  void t.test(
    `G2: the lock is free when the commit has its place, the value is shown when its sync, held ${side} the batch is in the store, returned`,
    async (t) => {
      const { db, primary, engine } = await openThings(t)
      const first = db.begin()
      await first.getForUpdate('things', { id: 1 })
      await first.update('things', { id: 1 }, { n: 1 })
      const second = db.begin()
      let shown: unknown
      const waiting = second.getForUpdate('things', { id: 1 }).then((row) => {
        shown = row?.['n']
      })
      t.equal(await outcomeSoon(waiting), 'pending')
      engine[side].hold()
      const commit = outcomeOf(first.commit())
      await engine[side].arrival()
      t.equal(await outcomeSoon(commit), 'pending')
      t.equal(first.status, 'committing')
      t.notOk(primary.locks.isHeldByOther(rowText(db, 1), second), 'the lock went to the next in line')
      t.ok(primary.locks.isHeldByOther(rowText(db, 1), first))
      t.equal(await outcomeSoon(waiting), 'pending', 'but what the first one wrote is not shown')
      const third = db.begin()
      const behind = third.getForUpdate('things', { id: 2 })
      t.equal(await outcomeSoon(behind), 'pending', 'nor is anything that may rest on it')
      t.equal(shown, undefined)
      engine[side].open()
      t.equal(await commit, 'resolved')
      await waiting
      t.equal(shown, 1n)
      t.match(await behind, { n: 0n })
      await second.update('things', { id: 1 }, { n: 2 })
      await second.commit()
      third.rollback()
      t.equal(valueOf(db, 1), 2n)
      t.equal(primary.locks.size, 0)
    },
  )
}

function rowText(db: Catalog, id: number): string {
  const table = db.table('things')
  return keyText(table.rowKey(table.keyRow({ id })))
}

void t.test('a sync that fails ends the wait for it: nothing of the lost commit is shown', async (t) => {
  const { db, primary, engine } = await openThings(t)
  const first = db.begin()
  await first.getForUpdate('things', { id: 1 })
  await first.update('things', { id: 1 }, { n: 1 })
  const second = db.begin()
  const waiting = outcomeOf(second.getForUpdate('things', { id: 1 }))
  engine.before.hold()
  const commit = outcomeOf(first.commit())
  await engine.before.arrival()
  engine.before.fail(new Error('EIO'))
  t.equal(await commit, 'COMMIT_UNKNOWN')
  t.match(await waiting, /STORE_FAILED|COMMIT_UNKNOWN/)
  second.rollback()
  t.equal(primary.locks.size, 0)
})

void t.test('whatever way a transaction ends, its locks end with it', async (t) => {
  const { db, primary } = await openThings(t)
  const locked = async (): Promise<ReturnType<Catalog['begin']>> => {
    const tx = db.begin()
    await tx.getForUpdate('things', { id: 1 })
    await tx.getForUpdate('things', { id: 2 })
    await tx.getForUpdate('things', { id: 77 })
    t.equal(primary.locks.size, 3)
    return tx
  }
  ;(await locked()).rollback()
  t.equal(primary.locks.size, 0, 'rollback')

  const expired = await locked()
  expired.expire(new ReplogError('SNAPSHOT_TOO_OLD', 'too old'))
  t.equal(primary.locks.size, 0, 'the age limit')

  await (await locked()).commit()
  t.equal(primary.locks.size, 0, 'a commit of nothing')

  const conflicting = await locked()
  await conflicting.get('things', { id: 5 })
  await setN(db, 5, 1)
  await conflicting.update('things', { id: 1 }, { n: 9 })
  t.equal(await outcomeOf(conflicting.commit()), 'CONFLICT')
  t.equal(primary.locks.size, 0, 'a conflict')

  const refused = await locked()
  await refused.update('things', { id: 1 }, { n: { add: '9223372036854775807' } })
  await refused.update('things', { id: 3 }, { n: { add: '9223372036854775807' } })
  await setN(db, 3, 1)
  t.equal(await outcomeOf(refused.commit()), 'INVALID_VALUE')
  t.equal(primary.locks.size, 0, 'a refusal in the lane')
  t.equal(valueOf(db, 1), 0n)
})

void t.test('a savepoint that is undone gives no lock back', async (t) => {
  const { db, primary } = await openThings(t)
  const tx = db.begin()
  tx.savepoint('s')
  await tx.getForUpdate('things', { id: 1 })
  tx.rollbackTo('s')
  t.equal(primary.locks.size, 1)
  tx.rollback()
})

void t.test('LOCK_TIMEOUT leaves the transaction open, with all that it did', async (t) => {
  const clock = new ManualClock()
  const { db, primary } = await openThings(t, { clock })
  const holder = db.begin()
  await holder.getForUpdate('things', { id: 1 })
  const tx = db.begin()
  await tx.insert('things', { id: 6, n: 6 })
  const short = outcomeOf(tx.getForUpdate('things', { id: 1 }, { timeoutMs: 5 }))
  await clock.advance(5)
  t.equal(await short, 'LOCK_TIMEOUT')
  const byDefault = outcomeOf(tx.getForUpdate('things', { id: 1 }))
  await clock.advance(LOCK_WAIT_MS_DEFAULT - 1)
  t.equal(await outcomeSoon(byDefault), 'pending')
  await clock.advance(1)
  t.equal(await byDefault, 'LOCK_TIMEOUT')
  const none = outcomeOf(tx.getForUpdate('things', { id: 1 }, { timeoutMs: 0 }))
  await clock.advance(0)
  t.equal(await none, 'LOCK_TIMEOUT', 'no wait at all')
  t.equal(tx.status, 'open')
  holder.rollback()
  t.match(await tx.getForUpdate('things', { id: 1 }), { n: 0n })
  await tx.commit()
  t.equal(valueOf(db, 6), 6n)
  t.equal(primary.locks.size, 0)
  for (const timeoutMs of [-1, NaN, Infinity, 2 ** 31]) {
    const wrong = db.begin()
    t.equal(await outcomeOf(wrong.getForUpdate('things', { id: 1 }, { timeoutMs })), 'INVALID_ARGUMENT')
    t.equal(wrong.status, 'open')
    wrong.rollback()
  }
})

void t.test('a transaction that ends while it waits is told why it ended', async (t) => {
  const { db, primary } = await openThings(t)
  const holder = db.begin()
  await holder.getForUpdate('things', { id: 1 })
  const expired = db.begin()
  const waiting = outcomeOf(expired.getForUpdate('things', { id: 1 }))
  t.equal(await outcomeSoon(waiting), 'pending')
  expired.expire(new ReplogError('SNAPSHOT_TOO_OLD', 'the transaction is too old'))
  t.equal(await waiting, 'SNAPSHOT_TOO_OLD', 'which transaction(fn) repeats')
  const rolledBack = db.begin()
  const inVain = outcomeOf(rolledBack.getForUpdate('things', { id: 1 }))
  t.equal(await outcomeSoon(inVain), 'pending')
  rolledBack.rollback()
  t.equal(await inVain, 'NO_TRANSACTION')
  const last = db.begin()
  const atShutdown = outcomeOf(last.getForUpdate('things', { id: 1 }))
  t.equal(await outcomeSoon(atShutdown), 'pending')
  await primary.close()
  t.equal(await atShutdown, 'CLOSED')
  t.equal(primary.locks.size, 0)
})

void t.test('several lock requests of one transaction at once take their turns', async (t) => {
  const { db, primary } = await openThings(t)
  const holder = db.begin()
  for (const id of [1, 2, 3]) await holder.getForUpdate('things', { id })
  const tx = db.begin()
  const requests = [3, 1, 2, 1].map((id) => tx.getForUpdate('things', { id }))
  const outcomes = requests.map((request) => outcomeOf(request))
  t.equal(await outcomeSoon(Promise.race(outcomes)), 'pending')
  await holder.update('things', { id: 1 }, { n: 5 })
  await holder.commit()
  t.same(await Promise.all(outcomes), new Array(4).fill('resolved'))
  t.same(
    (await Promise.all(requests)).map((row) => row?.['n']),
    [0n, 5n, 0n, 5n],
  )
  await tx.commit()
  t.equal(primary.locks.size, 0)
})

void t.test('a commit while a lock request waits is refused or waits for it; no row is half locked', async (t) => {
  const { db, primary } = await openThings(t)
  const holder = db.begin()
  await holder.getForUpdate('things', { id: 1 })
  await holder.getForUpdate('things', { id: 2 })
  const tx = db.begin()
  await tx.update('things', { id: 2 }, { n: 2 })
  const request = outcomeOf(tx.getForUpdate('things', { id: 1 }))
  t.equal(await outcomeSoon(request), 'pending')
  const commit = outcomeOf(tx.commit())
  t.notMatch(await outcomeSoon(commit), /AssertionError/)
  holder.rollback()
  for (const outcome of [await request, await commit]) t.match(outcome, /^(resolved|[A-Z_]+)$/)
  tx.rollback()
  t.equal(primary.locks.size, 0)
})

void t.test(
  'G4: a page of a scan that is being read while the snapshot moves up is of one LSN with the rest',
  async (t) => {
    const engine = new PageGatedEngine(new MemoryEngine())
    const primary = await Primary.open({ path: '/memory', engine })
    // Promises alone do not keep a process alive.
    const alive = setInterval(() => undefined, 60_000)
    t.teardown(async () => {
      engine.pages.open()
      await primary.close()
      clearInterval(alive)
    })
    const db = primary.catalog()
    await makeThings(db)
    const tx = db.begin()
    engine.pages.hold()
    const rows = collect(tx.scan('things', { from: { id: 2 } }))
    await engine.pages.arrival()
    await db.execute([
      { update: { table: 'things', key: { id: 1 }, set: { n: 7 } } },
      { update: { table: 'things', key: { id: 4 }, set: { n: 7 } } },
    ])
    const locked = await outcomeOf(tx.getForUpdate('things', { id: 1 }))
    engine.pages.open()
    const seen = locked === 'resolved' ? (await tx.get('things', { id: 1 }))?.['n'] : undefined
    const page = await rows.catch((error: unknown) => error)
    if (Array.isArray(page)) {
      const four = (page as Record<string, unknown>[]).find(({ id }) => id === 4)
      t.equal(four?.['n'], seen, 'both rows were set in one transaction')
    } else {
      t.match(page, { code: 'CONFLICT' })
    }
    tx.rollback()
  },
)

void t.test('a one-shot update waits for its turn at a locked row; others pass', async (t) => {
  const clock = new ManualClock()
  const { db, primary } = await openThings(t, { clock })
  const timersOfIdle = clock.timers
  const holder = db.begin()
  await holder.getForUpdate('things', { id: 1 })
  const behind = outcomeOf(
    db.execute([
      { update: { table: 'things', key: { id: 2 }, set: { n: { add: 1 } } } },
      { update: { table: 'things', key: { id: 1 }, set: { n: { add: 1 } } } },
    ]),
  )
  t.equal(await outcomeSoon(behind), 'pending')
  t.equal(valueOf(db, 2), 0n, 'nothing of it is done')
  t.match(await db.execute([{ get: { table: 'things', key: { id: 1 } } }]), { results: [{ row: { n: 0n } }] })
  await setN(db, 3, 3)
  await holder.update('things', { id: 1 }, { n: 10 })
  await holder.commit()
  t.equal(await behind, 'resolved')
  t.equal(valueOf(db, 1), 11n)
  t.equal(valueOf(db, 2), 1n)

  const again = db.begin()
  await again.getForUpdate('things', { id: 1 })
  const refused = db.execute([{ delete: { table: 'things', key: { id: 1 } } }])
  t.equal(await outcomeSoon(refused), 'pending')
  await clock.advance(LOCK_WAIT_MS_DEFAULT)
  t.equal(await outcomeSoon(refused), 'LOCK_TIMEOUT')
  again.rollback()
  t.equal(valueOf(db, 1), 11n)
  t.equal(primary.locks.size, 0)
  t.equal(clock.timers, timersOfIdle, 'no wait left a timer behind')
})

void t.test('a one-shot that came first goes first, however many ask for the lock after it', async (t) => {
  const { db, primary } = await openThings(t)
  const order: string[] = []
  const holder = db.begin()
  await holder.getForUpdate('things', { id: 1 })
  const lockers = ['before', 'after', 'last'].map((name) => ({ name, tx: db.begin() }))
  const lock = async ({ name, tx }: (typeof lockers)[number]): Promise<void> => {
    await tx.getForUpdate('things', { id: 1 })
    order.push(name)
    await tx.update('things', { id: 1 }, { n: { add: 1 } })
    await tx.commit()
  }
  const all = [lock(lockers[0]!)]
  t.equal(await outcomeSoon(all[0]!), 'pending')
  const oneShots = [1, 2].map(async (ordinal) => {
    await db.execute([{ update: { table: 'things', key: { id: 1 }, set: { n: { add: 10 } } } }])
    order.push(`one-shot ${ordinal}`)
  })
  t.equal(await outcomeSoon(Promise.race(oneShots)), 'pending')
  all.push(lock(lockers[1]!), lock(lockers[2]!))
  t.equal(await outcomeSoon(Promise.race(all)), 'pending')
  holder.rollback()
  await Promise.all([...all, ...oneShots])
  t.same(order, ['before', 'one-shot 1', 'one-shot 2', 'after', 'last'])
  t.equal(valueOf(db, 1), 23n)
  t.equal(primary.locks.size, 0)
})

void t.test('a one-shot gets its turn among clients that lock the row again and again', async (t) => {
  const { db } = await openOnDisk(t)
  await db.execute([{ createTable: { table: TABLE } }, { insert: { table: 'things', rows: [{ id: 1, n: 0 }] } }])
  let turns = 0
  let isDone = false
  const clients = Array.from({ length: 4 }, async () => {
    while (!isDone && turns < 2000) {
      await db.transaction(async (tx) => {
        const row = await tx.getForUpdate('things', { id: 1 })
        await tx.update('things', { id: 1 }, { n: (row?.['n'] as bigint) + 1n })
      })
      turns++
    }
  })
  await db.execute([{ update: { table: 'things', key: { id: 1 }, set: { n: { add: 1 } } } }])
  isDone = true
  await Promise.all(clients)
  t.ok(turns < 100, `${turns} turns of the others came before it`)
  t.equal(valueOf(db, 1), BigInt(turns + 1))
})

void t.test('a commit that writes a locked row waits for it, then conflicts or succeeds', async (t) => {
  const { db, primary } = await openThings(t)
  const committing = async (set: Record<string, unknown>, isolation: 'serializable' | 'snapshot') => {
    const tx = db.begin({ isolation })
    await tx.update('things', { id: 1 }, set)
    return tx
  }
  for (const isolation of ['serializable', 'snapshot'] as const) {
    for (const [ending, plain, added, value] of [
      ['rollback', 'resolved', 'resolved', 105n],
      ['commit of another row', 'resolved', 'resolved', 105n],
      ['commit', 'CONFLICT', 'resolved', 150n],
      ['delete', 'CONFLICT', 'CONFLICT', undefined],
    ] as const) {
      await db.execute([
        { delete: { table: 'things', key: { id: 1 } } },
        { insert: { table: 'things', rows: [{ id: 1, n: 0 }] } },
      ])
      const holder = db.begin()
      await holder.getForUpdate('things', { id: 1 })
      const writers = [await committing({ n: 5 }, isolation), await committing({ n: { add: 100 } }, isolation)]
      const commits = writers.map((tx) => outcomeOf(tx.commit()))
      t.equal(await outcomeSoon(Promise.race(commits)), 'pending')
      t.same(
        writers.map(({ status }) => status),
        ['committing', 'committing'],
      )
      if (ending === 'commit of another row') await holder.update('things', { id: 2 }, { n: { add: 1 } })
      if (ending === 'commit') await holder.update('things', { id: 1 }, { n: 50 })
      if (ending === 'delete') await holder.delete('things', { id: 1 })
      if (ending === 'rollback') holder.rollback()
      else await holder.commit()
      t.same(await Promise.all(commits), [plain, added], `${isolation}: ${ending}`)
      t.equal(valueOf(db, 1), value)
      t.equal(primary.locks.size, 0)
    }
  }
})

void t.test('a commit whose row stays locked is rolled back with CONFLICT, and waits no longer', async (t) => {
  const clock = new ManualClock()
  const { db, primary } = await openThings(t, { clock })
  const holder = db.begin()
  await holder.getForUpdate('things', { id: 1 })
  const writer = db.begin()
  await writer.update('things', { id: 1 }, { n: 1 })
  const commit = outcomeOf(writer.commit())
  t.equal(await outcomeSoon(commit), 'pending')
  writer.rollback()
  t.equal(writer.status, 'committing', 'nothing but its outcome ends a commit')
  await clock.advance(LOCK_WAIT_MS_DEFAULT)
  t.equal(await commit, 'CONFLICT')
  t.equal(writer.status, 'rolled back')
  t.equal(primary.locks.size, 1)
  holder.rollback()
})

void t.test('a key without a row is locked like a row: who inserts it waits', async (t) => {
  const { db, primary } = await openThings(t)
  const insert = (n: number): Promise<string> =>
    outcomeOf(db.execute([{ insert: { table: 'things', rows: [{ id: 50, n }] } }]))
  const holder = db.begin()
  t.equal(await holder.getForUpdate('things', { id: 50 }), undefined)
  const oneShot = insert(1)
  t.equal(await outcomeSoon(oneShot), 'pending')
  await holder.insert('things', { id: 50, n: 7 })
  await holder.commit()
  t.equal(await oneShot, 'DUPLICATE_KEY')
  t.equal(valueOf(db, 50), 7n)

  const second = db.begin()
  t.match(await second.getForUpdate('things', { id: 50 }), { n: 7n })
  const third = db.begin()
  const waiting = third.getForUpdate('things', { id: 50 })
  t.equal(await outcomeSoon(waiting), 'pending')
  await second.delete('things', { id: 50 })
  await second.commit()
  t.equal(await waiting, undefined, 'the row is gone, its key is locked')
  const last = insert(2)
  t.equal(await outcomeSoon(last), 'pending')
  third.rollback()
  t.equal(await last, 'resolved')
  t.equal(valueOf(db, 50), 2n)
  t.equal(primary.locks.size, 0)
})

void t.test(
  'a circle of getForUpdate and of a commit that waits: the youngest is rolled back, the others get on',
  async (t) => {
    const { db, primary } = await openThings(t)
    const [older, younger] = [db.begin(), db.begin()]
    await older.getForUpdate('things', { id: 1 })
    await younger.getForUpdate('things', { id: 2 })
    await older.update('things', { id: 2 }, { n: 2 })
    const commit = older.commit()
    t.equal(await outcomeSoon(commit), 'pending')
    const error = await younger.getForUpdate('things', { id: 1 }).catch((reason: unknown) => reason)
    t.match(error, { code: 'DEADLOCK', details: { cycle: [younger.name, older.name] } })
    t.equal(younger.status, 'rolled back')
    t.equal(await outcomeOf(younger.insert('things', { id: 8, n: 8 })), 'DEADLOCK')
    t.equal(await outcomeOf(commit), 'resolved')

    const [first, second] = [db.begin(), db.begin({ priority: 0 })]
    await first.getForUpdate('things', { id: 1 })
    await second.getForUpdate('things', { id: 2 })
    await first.update('things', { id: 2 }, { n: 3 })
    const beaten = outcomeOf(first.commit())
    t.equal(await outcomeSoon(beaten), 'pending')
    t.match(await second.getForUpdate('things', { id: 1 }), { n: 0n })
    t.equal(await beaten, 'DEADLOCK', 'one that commits gives way, too')
    t.equal(first.status, 'rolled back')
    await second.commit()
    t.equal(valueOf(db, 2), 2n)
    t.equal(primary.locks.size, 0)
    t.equal(primary.openTransactions, 0)
  },
)

void t.test('a transaction that is repeated keeps its age, so it does not give way for ever', async (t) => {
  const { db } = await openThings(t)
  const names: string[] = []
  const priorities: number[] = []
  const rival = async (): Promise<void> => {
    const tx = db.begin()
    await tx.getForUpdate('things', { id: 2 })
    await outcomeOf(tx.getForUpdate('things', { id: 1 }))
    tx.rollback()
  }
  let rivals: Promise<void> | undefined
  const older = db.begin()
  await older.getForUpdate('things', { id: 2 })
  const work = db.transaction(async (tx) => {
    names.push(tx.name)
    priorities.push(tx.priority)
    await tx.getForUpdate('things', { id: 1 })
    if (names.length === 2) rivals = rival()
    await tx.getForUpdate('things', { id: 2 })
  })
  t.equal(await outcomeSoon(work), 'pending')
  t.match(await older.getForUpdate('things', { id: 1 }), { n: 0n }, 'it is older, so the other one gives way')
  older.rollback()
  await work
  await rivals
  t.equal(names.length, 2)
  t.equal(new Set(names).size, 2)
  t.equal(new Set(priorities).size, 1)
})

void t.test('getForUpdate is refused where it makes no sense, and the transaction stays open', async (t) => {
  const { db } = await openThings(t)
  const reading = db.begin({ readOnly: true })
  t.equal(await outcomeOf(reading.getForUpdate('things', { id: 1 })), 'READ_ONLY_TRANSACTION')
  t.equal(
    await outcomeOf(reading.execute({ getForUpdate: { table: 'things', key: { id: 1 } } })),
    'READ_ONLY_TRANSACTION',
  )
  t.equal(reading.status, 'open')
  reading.rollback()
  const tx = db.begin()
  t.equal(await outcomeOf(tx.getForUpdate('nothing', { id: 1 })), 'NOT_FOUND')
  t.equal(await outcomeOf(tx.getForUpdate('things', { n: 1 })), 'INVALID_VALUE')
  t.same(await tx.execute({ getForUpdate: { table: 'things', key: { id: 1 } } }), { row: { id: 1, n: 0n } })
  t.same(await tx.execute({ getForUpdate: { table: 'things', key: { id: 99 } } }), { row: null })
  await tx.commit()
  t.equal(
    await outcomeOf(db.execute([{ getForUpdate: { table: 'things', key: { id: 1 } } }])),
    'INVALID_ARGUMENT',
    'a one-shot needs none',
  )
})

void t.test('under snapshot isolation a lock protects what is read and not written', async (t) => {
  const { db } = await openThings(t)
  const [one, other] = [db.begin({ isolation: 'snapshot' }), db.begin({ isolation: 'snapshot' })]
  await one.getForUpdate('things', { id: 1 })
  await one.update('things', { id: 2 }, { n: 1 })
  const skew = async (): Promise<void> => {
    await other.getForUpdate('things', { id: 2 })
    const row = await other.getForUpdate('things', { id: 1 })
    await other.update('things', { id: 1 }, { n: (row?.['n'] as bigint) + 1n })
    await other.commit()
  }
  const second = outcomeOf(skew())
  const first = outcomeOf(one.commit())
  t.same((await Promise.all([first, second])).toSorted(), ['DEADLOCK', 'resolved'])
})
