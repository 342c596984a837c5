/**
 * G5, G6: of all statements that commit implicitly in MySQL, none does here, whether it succeeds or fails: the transaction
 * stays open, nobody else sees anything of it, a rollback takes rows and definitions back together, and a commit shows
 * both at one LSN. The names of the tests are the matrix.
 */
import t, { type Test } from 'tap'
import { Primary } from '../../primary/primary.js'
import { STATEMENT_NAMES } from '../../primary/run-statement.js'
import type { Transaction } from '../../primary/transaction.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { checkStore } from '../crash/check-store.js'
import { contentOf, imageDifferences, imageOf } from '../crash/store-image.js'
import { type Sent, serveSessions } from '../session/serving-sessions.js'
import { type Counterpart, LOCKED_KEY, makeTables, MATRIX } from './implicit-commits.js'
import { openGated } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'

type Outcome = 'succeeds' | 'fails'
type Ending = 'rollback' | 'commit'

const WITNESS = { insert: { table: 'witness', rows: [{ id: 100, value: 'mine' }] } }
const OWN_ROW = { insert: { table: 'kv', rows: [{ id: 100, value: 'mine' }] } }
const GET_WITNESS = { get: { table: 'witness', key: { id: 100 } } }

async function makeBase(): Promise<MemoryEngine> {
  const engine = new MemoryEngine()
  const primary = await Primary.open({ path: '/memory', engine })
  await makeTables(primary)
  await primary.jobsDone()
  await primary.close()
  return engine
}

const base = makeBase()

function outcomesOf(counterpart: Counterpart): readonly Outcome[] {
  if ('unknown' in counterpart) return ['fails']
  return ['succeeds', 'fails']
}

/** Runs the statement, in the open transaction or beside it. @returns "resolved", or the code */
async function run(primary: Primary, tx: Transaction, counterpart: Counterpart, outcome: Outcome): Promise<string> {
  if ('unknown' in counterpart) return outcomeOf(tx.execute(counterpart.unknown))
  if ('beside' in counterpart) {
    return outcomeOf((outcome === 'succeeds' ? counterpart.beside : counterpart.besideFails)(primary))
  }
  if ('nested' in counterpart) {
    // A transaction cannot begin another one; its catalog can, and that is one more.
    if (outcome === 'fails') return outcomeOf(tx.execute({ begin: {} } as never))
    primary.catalog().begin().rollback()
    return 'resolved'
  }
  return outcomeOf(tx.execute(counterpart[outcome]))
}

function expectedCode(counterpart: Counterpart, outcome: Outcome): string {
  if (outcome === 'succeeds') return 'resolved'
  return 'nested' in counterpart ? 'INVALID_ARGUMENT' : counterpart.code
}

/** Neither a reader nor a second transaction finds the rows or the definitions of the first. */
async function nothingIsVisible(t: Test, primary: Primary, before: string): Promise<void> {
  const db = primary.catalog()
  t.equal(await contentOf(primary.state), before, 'readers find the dictionary and the rows as they were')
  t.equal(db.get('witness', { id: 100 }), undefined)
  const second = db.begin()
  t.equal(await second.get('witness', { id: 100 }), undefined)
  t.same(
    (await collect(second.scan('kv'))).map(({ id }) => id),
    [1, 2, 3],
    'a second transaction finds the old rows',
  )
  t.equal((await collect(second.scan('kv', { index: 'by_value' }))).length, 3)
  second.rollback()
}

/** Schemas and tables, without what follows from rows. */
function definitionsIn(content: string): string[] {
  const lines = content.split('\n').filter((line) => line.startsWith('schema ') || line.startsWith('table '))
  return lines.map((line) => line.replace(/ \d+ rows$/, ''))
}

async function embedded(t: Test, counterpart: Counterpart, outcome: Outcome, ending: Ending): Promise<void> {
  const start = await base
  const { primary, db, memory } = await openGated(t, {}, start.crash())
  const holder = db.begin()
  await holder.getForUpdate('kv', LOCKED_KEY)
  const original = await contentOf(primary.state)
  const tx = db.begin()
  await tx.execute(WITNESS)
  await tx.execute(OWN_ROW)

  t.equal(await run(primary, tx, counterpart, outcome), expectedCode(counterpart, outcome))
  t.equal(tx.status, 'open')
  t.match(await tx.get('witness', { id: 100 }), { value: 'mine' }, 'it sees its own row')
  const commitsItself = 'beside' in counterpart && outcome === 'succeeds'
  const before = commitsItself ? await contentOf(primary.state) : original
  t.equal(before !== original, commitsItself)
  await nothingIsVisible(t, primary, before)
  holder.rollback()

  const { lsn } = primary.position
  const done = 'succeeds' in counterpart && outcome === 'succeeds' ? counterpart : undefined
  if (ending === 'rollback') {
    tx.rollback()
    t.equal(primary.position.lsn, lsn)
    t.equal(await contentOf(primary.state), before)
  } else {
    const { position } = await tx.commit()
    t.equal(position.lsn, lsn + 1n, 'rows and definitions at one LSN')
    t.match(db.get('witness', { id: 100 }), { value: 'mine' })
    if (done?.keepsRows !== false) t.ok((await collect(db.scan('kv'))).some(({ id }) => id === 100 || id === '100'))
    const isChanged = done?.logs.some((kind) => kind !== 'insert') === true
    t.equal(definitionsIn(await contentOf(primary.state)).join() !== definitionsIn(before).join(), isChanged)
  }
  await primary.jobsDone()
  await primary.close()
  const kinds = new Set<string>()
  const { problems } = await checkStore(memory.crash(), {
    onTransaction: ({ lsn: at, statements }) => {
      if (at === lsn + 1n) for (const { kind } of statements) kinds.add(kind)
    },
  })
  t.same(problems, [])
  if (ending === 'commit') t.same([...kinds].sort(), [...new Set(['insert', ...(done?.logs ?? [])])].sort())
  else if (!commitsItself) t.same(imageDifferences(await imageOf(memory), await imageOf(start)), [])
}

/** What a session sends for it, and what it is told, in the order in which both can be in one transaction. */
function operationsOf(counterpart: Counterpart): readonly (readonly [operation: Sent, refusal: string | undefined])[] {
  if ('nested' in counterpart) return [[{ begin: {} }, `${counterpart.code}, open`]]
  if ('unknown' in counterpart) return [[counterpart.unknown, `${counterpart.code}, open`]]
  // Catalogs are made and dropped elsewhere: a session knows no such operation.
  if ('beside' in counterpart) return [[{ [counterpart.here]: { name: 'other' } }, 'INVALID_ARGUMENT, open']]
  return [
    [counterpart.fails, `${counterpart.code}, open`],
    [counterpart.succeeds, undefined],
  ]
}

async function inSession(t: Test, counterpart: Counterpart): Promise<void> {
  const { primary, connect } = await serveSessions(t)
  await makeTables(primary)
  const mine = await connect()
  const holder = await connect()
  const before = await contentOf(primary.state)
  const { lsn } = primary.position
  for (const ending of ['rollback', 'commit'] as const) {
    await holder.ask({ begin: {} })
    await holder.ask({ getForUpdate: { table: 'kv', key: LOCKED_KEY } })
    await mine.ask({ begin: {} })
    await mine.ask(WITNESS)
    await mine.ask(OWN_ROW)
    for (const [operation, refusal] of operationsOf(counterpart)) {
      const { error } = await mine.tell(operation)
      t.equal(error === undefined ? undefined : `${error.code}, ${error.transaction}`, refusal)
      t.match(await mine.ask(GET_WITNESS), { row: { value: 'mine' } }, 'it is open and sees its own row')
      await nothingIsVisible(t, primary, before)
    }
    await holder.ask({ rollback: {} })
    t.equal(primary.position.lsn, lsn)
    await mine.ask({ [ending]: {} })
    t.equal(primary.position.lsn, ending === 'commit' ? lsn + 1n : lsn)
    if (ending === 'rollback') t.equal(await contentOf(primary.state), before)
  }
  t.match(primary.catalog().get('witness', { id: 100 }), { value: 'mine' })
}

for (const [mysql, counterpart] of MATRIX) {
  const here = 'unknown' in counterpart ? 'no such statement' : counterpart.here
  for (const outcome of outcomesOf(counterpart)) {
    for (const ending of ['rollback', 'commit'] as const) {
      void t.test(`${mysql} | ${here} | ${outcome} | ${ending}`, (t) => embedded(t, counterpart, outcome, ending))
    }
  }
  void t.test(`${mysql} | ${here} | in a session`, (t) => inSession(t, counterpart))
}

void t.test('every definition statement is in the matrix', async (t) => {
  const listed = MATRIX.flatMap(([, row]) => ('succeeds' in row ? Object.keys(row.succeeds) : []))
  const others = ['insert', 'update', 'delete', 'get', 'scan', 'check']
  t.same(
    STATEMENT_NAMES.filter((name) => !others.includes(name) && !listed.includes(name)),
    [],
  )
  for (const [, row] of MATRIX) if ('unknown' in row) t.notOk(STATEMENT_NAMES.includes(row.here), row.here)
})
