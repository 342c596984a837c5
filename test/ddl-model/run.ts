/**
 * Runs a script on a cluster and on the model, side by side. (G1, G4, G5, G6, G7)
 *
 * A statement that fails leaves its transaction open and as it was; nothing but a commit commits; a crash leaves the old
 * or the new state; what the server shows is what the model has.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { LSN_ZERO } from '../../core/position.js'
import type { TableListing } from '../../log/catalog-reader.js'
import type { StatementInput, StatementResult } from '../../primary/statement.js'
import type { Transaction } from '../../primary/transaction.js'
import { cannotBe, withIndex } from './alter.js'
import { EMPTY_STATE, type State, type Table, findTable, nameOf, withTable } from './catalog.js'
import { BUILD_ROWS, Cluster } from './cluster.js'
import { differences, differencesOf, text } from './compare.js'
import { type Expectation, expect } from './model.js'
import { violatesForeignKey } from './rows.js'
import { Tally } from './tally.js'
import { AT_ONCE, type Commit, type Refusal, type Work, newWork, perform } from './two-at-once.js'
import type { Action, PairAction, Recorded, Script, Step, TransactionAction } from './script.js'

/** The product and the model do not agree. */
export class Mismatch extends Error {}

/** What the server does about an index meanwhile may come between a transaction and its commit. */
const CAME_BETWEEN: ReadonlySet<string> = new Set(['SCHEMA_CHANGED', 'CONFLICT'])

/** What an addition may meet in the lane, on a value that the other transaction left. */
const OF_ADDITIONS: ReadonlySet<string> = new Set(['INVALID_VALUE', 'CHECK_VIOLATION'])

/** How the server makes an index is told by what it answers. */
const IN_DOUBT = { rowsMax: BUILD_ROWS, hasWritten: true }

export class Run {
  /** What was done, so that it can be done again. */
  readonly history: Recorded[] = []
  readonly tally = new Tally()
  readonly #cluster: Cluster
  readonly #script: Script
  #state: State = EMPTY_STATE
  #steps: Step[] = []
  #transactions = 0

  constructor(script: Script, cluster = new Cluster()) {
    this.#script = script
    this.#cluster = cluster
  }

  get transactions(): number {
    return this.#transactions
  }

  /** @throws Mismatch */
  async run(): Promise<void> {
    await this.#cluster.open()
    try {
      for (let action = this.#script.action(); action !== undefined; action = this.#script.action()) {
        this.#steps = []
        this.history.push({ action, steps: this.#steps })
        await this.#perform(action)
        this.#require(this.#cluster.faults)
      }
    } finally {
      await this.#cluster.close()
    }
  }

  async #perform(action: Action): Promise<void> {
    if ('transaction' in action) {
      this.#learn()
      this.#transactions++
      if (action.transaction === 'interactive') await this.#interactive(action)
      else await this.#oneShot(action)
      if (action.settles) await this.#cluster.primary.jobsDone()
      return
    }
    if ('pair' in action) await this.#pair(action)
    else if ('crash' in action) await this.#crash()
    else if ('stopReplica' in action) await this.#cluster.stopReplica(action.stopReplica === 'crash')
    else if ('startReplica' in action) await this.#cluster.startReplica()
    else await this.#check()
  }

  #require(problems: readonly string[]): void {
    if (problems.length > 0) throw new Mismatch(problems.join('\n'))
  }

  async #check(): Promise<void> {
    const cluster = this.#cluster
    await cluster.settle()
    this.#learn()
    if (isAnyBuilding(this.#state)) throw new Mismatch('an index is being built for ever')
    await this.#compareAll()
    const replica = cluster.replica!.catalog()
    const onReplica = await differences(this.#state, replica, await replica.tables())
    this.#require(onReplica.map((one) => `replica: ${one}`))
    this.#require(await cluster.storeProblems(true))
    this.#require(await cluster.rebuiltProblems())
  }

  /** What is there when both are opened again is what the model has; `committed` says which of two states that is. */
  async #crash(committed?: () => Promise<State>): Promise<void> {
    const cluster = this.#cluster
    this.tally.noteEvent('crash')
    await cluster.crash()
    this.#require(await cluster.storeProblems(false))
    await cluster.open()
    if (committed !== undefined) this.#state = await committed()
    await this.#compareAll()
  }

  async #interactive(action: TransactionAction): Promise<void> {
    const tx = this.#cluster.db.begin({ isolation: action.isolation })
    const doubtful = isAnyBuilding(this.#state)
    let staged = this.#state
    let hasWritten = false
    const savepoints: { readonly name: string; readonly state: State }[] = []
    for (let step = this.#script.step(staged); step !== undefined; step = this.#script.step(staged)) {
      this.#steps.push(step)
      if (!('statement' in step)) {
        staged = this.#savepoint(tx, step, staged, savepoints)
        continue
      }
      const { statement } = step
      const expectation = expect(staged, statement, { rowsMax: BUILD_ROWS, hasWritten })
      if (isLeftToTheLane(statement, expectation)) {
        this.#steps.pop()
        continue
      }
      const outcome = await outcomeOf(tx.execute(statement))
      if (doubtful && outcome instanceof ReplogError && CAME_BETWEEN.has(outcome.code)) {
        this.#expectStatus(tx, 'rolled back', statement)
        return
      }
      staged = this.#judge(statement, expectation, outcome, staged)
      if (outcome instanceof Error) this.#expectStatus(tx, 'open', statement)
      hasWritten = true
    }
    if (action.end === 'rollback') {
      tx.rollback()
      await this.#compareTouched(this.#state, staged)
      return
    }
    const isViolated = violatesForeignKey(staged)
    if (action.end !== 'commit') {
      const idempotencyKey = `key ${this.#transactions}`
      const committing = outcomeOf(tx.commit({ idempotencyKey }))
      for (let turns = 0; turns < action.end.crashAfter; turns++) await (turns % 4 === 3 ? turn() : undefined)
      const before = this.#state
      await this.#crash(async () => {
        const isThere = (await this.#cluster.db.outcome(idempotencyKey)) !== undefined
        const outcome = await committing
        if (!isThere && !(outcome instanceof Error) && staged !== before)
          throw new Mismatch('an acknowledged commit was lost in a crash')
        if (isThere && isViolated) throw new Mismatch('a commit that violates a foreign key is in the log')
        this.tally.noteEvent(isThere ? 'crash behind a commit' : 'crash before a commit')
        return isThere ? committedState(staged) : before
      })
      return
    }
    const outcome = await outcomeOf(tx.commit())
    if (outcome instanceof Error) {
      const isExpected = isReplogError(outcome, 'FOREIGN_KEY_VIOLATION')
        ? isViolated
        : doubtful && isReplogError(outcome) && CAME_BETWEEN.has(outcome.code)
      if (!isExpected) throw new Mismatch(`the commit failed: ${shownError(outcome)}`)
      this.tally.noteEvent('commit refused')
      if (tx.status !== 'rolled back')
        throw new Mismatch(`the transaction is ${tx.status} after its commit was refused`)
      await this.#compareTouched(this.#state, staged)
      return
    }
    if (isViolated) throw new Mismatch('the commit succeeded, and a foreign key is violated')
    await this.#commit(staged)
  }

  #savepoint(
    tx: Transaction,
    step: Exclude<Step, { readonly statement: StatementInput }>,
    staged: State,
    savepoints: { readonly name: string; readonly state: State }[],
  ): State {
    const name = 'savepoint' in step ? step.savepoint : 'rollbackTo' in step ? step.rollbackTo : step.release
    const at = savepoints.findIndex((one) => one.name === name)
    const outcome = ((): unknown => {
      try {
        if ('savepoint' in step) tx.savepoint(name)
        else if ('rollbackTo' in step) tx.rollbackTo(name)
        else tx.releaseSavepoint(name)
        return undefined
      } catch (error) {
        return error
      }
    })()
    if ('savepoint' in step) {
      if (outcome !== undefined) throw new Mismatch(`savepoint ${name}: ${shownError(outcome)}`)
      if (at >= 0) savepoints.splice(at, 1)
      savepoints.push({ name, state: staged })
      return staged
    }
    const isRefused = isReplogError(outcome, 'NOT_FOUND')
    if (at < 0 ? !isRefused : outcome !== undefined) {
      throw new Mismatch(`${text(step)}: ${outcome === undefined ? 'done' : shownError(outcome)}`)
    }
    if (at < 0) return staged
    const { state } = savepoints[at]!
    savepoints.length = 'rollbackTo' in step ? at + 1 : at
    return 'rollbackTo' in step ? state : staged
  }

  async #oneShot(action: TransactionAction): Promise<void> {
    const statements: StatementInput[] = []
    const expectations: Expectation[] = []
    let preview = this.#state
    /** Whether it is known if a foreign key is violated at the end. */
    let isForetold = true
    for (let step = this.#script.step(preview); step !== undefined; step = this.#script.step(preview)) {
      if (!('statement' in step)) continue
      const hasWritten = statements.length > 0
      const expectation = expect(preview, step.statement, { rowsMax: BUILD_ROWS, hasWritten })
      this.#steps.push(step)
      statements.push(step.statement)
      expectations.push(expectation)
      // What comes behind one that is refused is not looked at, and what AUTO_INCREMENT chooses is known only at the end.
      if (expectation.success === undefined) break
      const chosen = chosenColumn(preview, step.statement)
      preview = expectation.success.preview
      if (chosen === undefined) continue
      isForetold = !chosen.isReferring
      break
    }
    if (statements.length === 0) return
    const { isolation, end } = action
    const isScanning = statements.some((statement) => 'scan' in statement)
    if (typeof end === 'object' && !isScanning) {
      const idempotencyKey = `key ${this.#transactions}`
      const running = outcomeOf(this.#cluster.db.execute(statements, { isolation, idempotencyKey }))
      for (let turns = 0; turns < end.crashAfter; turns++) await (turns % 4 === 3 ? turn() : undefined)
      const before = this.#state
      await this.#crash(async () => {
        const isThere = (await this.#cluster.db.outcome(idempotencyKey)) !== undefined
        const outcome = await running
        if (!isThere) {
          if (outcome instanceof Error || preview === before) return before
          throw new Mismatch('an acknowledged commit was lost in a crash')
        }
        const again = await this.#cluster.db.execute(statements, { isolation, idempotencyKey })
        if (!again.replayed) throw new Mismatch('a transaction with a used idempotency key ran again')
        return committedState(this.#settled(statements, again.results, before))
      })
      return
    }
    const doubtful = isAnyBuilding(this.#state)
    const outcome = await outcomeOf(this.#cluster.db.execute(statements, { isolation }))
    if (outcome instanceof Error) {
      if (doubtful && isReplogError(outcome) && CAME_BETWEEN.has(outcome.code)) return
      const mayBeViolated = !isForetold || violatesForeignKey(preview)
      this.#judgeRefusal(statements, expectations, outcome, mayBeViolated)
      await this.#compareTouched(this.#state, preview)
      return
    }
    const staged = this.#settled(statements, outcome.results, this.#state)
    if (violatesForeignKey(staged)) throw new Mismatch('the transaction committed, and a foreign key is violated')
    await this.#commit(staged)
  }

  /** Whatever two transactions do at once, those that commit are as if one had come after the other. (G4) */
  async #pair({ pair }: PairAction): Promise<void> {
    this.#learn()
    this.#transactions += 2
    const before = this.#state
    const [first, second]: [Work, Work] = [newWork(pair[0], before), newWork(pair[1], before)]
    for (let step = this.#next([first, second]); step !== undefined; step = this.#next([first, second])) {
      const work = step.by === 'other' ? second : first
      const expectation = expect(work.preview, step.statement, IN_DOUBT)
      const { success } = expectation
      // Of a one-shot transaction nothing comes behind a statement that is refused.
      if (work.isOver || (work.mode === 'interactive' && isLeftToTheLane(step.statement, expectation))) continue
      work.statements.push(step.statement)
      work.pauses.push(step.pause ?? 0)
      work.isOver = success === undefined && work.mode === 'one-shot'
      work.preview = success?.preview ?? work.preview
    }
    const { db } = this.#cluster
    const ends = await Promise.all([first, second].map((work) => perform(work, db)))
    const committed = ends.filter((end) => 'lsn' in end).sort((one, other) => Number(one.lsn - other.lsn))
    const staged = this.#inOrder(committed, before)
    this.tally.noteEvent(`${committed.length} of two transactions at once`)
    const retryable = ends.filter((end) => 'refused' in end && isReplogError(end.refused) && end.refused.retryable)
    if (retryable.length === 2 && !isAnyBuilding(before)) throw new Mismatch('neither of two transactions came through')
    for (const end of ends) if ('refused' in end) this.#requireReason(end, [before, staged])
    await this.#commit(staged)
  }

  /** The state after transactions that committed, one after the other. */
  #inOrder(commits: readonly Commit[], before: State): State {
    try {
      let staged = before
      for (const { work, outcomes } of commits) {
        const after = staged
        // AUTO_INCREMENT values are given out before it is known who comes first.
        staged = withMarks(staged, (id, mark) => before.tables.get(id)?.mark ?? mark)
        for (const [ordinal, statement] of work.statements.entries()) {
          staged = this.#judge(statement, expect(staged, statement, IN_DOUBT), outcomes[ordinal]!, staged)
        }
        staged = withMarks(staged, (id, mark) => max(mark, after.tables.get(id)?.mark ?? 0n))
        if (violatesForeignKey(staged)) throw new Mismatch('a commit succeeded, and a foreign key is violated')
      }
      return staged
    } catch (error) {
      // One that only read says where it read, which may be behind the other.
      const [first, second] = commits
      if (first === undefined || first.lsn !== second?.lsn) throw error
      return this.#inOrder([{ ...second, lsn: LSN_ZERO }, first], before)
    }
  }

  #next([first, second]: readonly [Work, Work]): Extract<Step, { readonly statement: StatementInput }> | undefined {
    const step = this.#script.step(first.preview, second.preview)
    if (step === undefined || !('statement' in step)) return undefined
    this.#steps.push(step)
    return step
  }

  /** A refusal is the other transaction's doing, or what the model says of one of the states that there were. */
  #requireReason({ work, refused }: Refusal, states: readonly State[]): void {
    if (isReplogError(refused) && AT_ONCE.has(refused.code)) return
    const at = isReplogError(refused) ? refused.details?.['statement'] : undefined
    if (isReplogError(refused) && OF_ADDITIONS.has(refused.code) && work.statements.some(isAddition)) return
    const isForetold = states.some((state) => {
      let staged = state
      for (const [ordinal, statement] of work.statements.entries()) {
        const { success, codes } = expect(staged, statement, IN_DOUBT)
        if (ordinal === at && isReplogError(refused) && codes.has(refused.code)) return true
        if (success === undefined) return false
        staged = success.preview
      }
      return false
    })
    if (!isForetold) throw new Mismatch(`one of two transactions was refused: ${shownError(refused)}`)
  }

  #judgeRefusal(
    statements: readonly StatementInput[],
    expectations: readonly Expectation[],
    error: Error,
    mayBeViolated: boolean,
  ): void {
    const at = isReplogError(error) ? error.details?.['statement'] : undefined
    if (typeof at !== 'number') {
      if (mayBeViolated && isReplogError(error, 'FOREIGN_KEY_VIOLATION')) return
      throw new Mismatch(`the transaction failed: ${shownError(error)}`)
    }
    const statement = statements[at]
    const expectation = expectations[at]
    if (statement === undefined || expectation === undefined) {
      throw new Mismatch(`statement ${at} failed, and one before it should have: ${shownError(error)}`)
    }
    this.#judge(statement, expectation, error, this.#state)
  }

  /** The state after statements that were all done. */
  #settled(statements: readonly StatementInput[], results: readonly StatementResult[], before: State): State {
    let staged = before
    for (const [ordinal, statement] of statements.entries()) {
      const expectation = expect(staged, statement, { rowsMax: BUILD_ROWS, hasWritten: ordinal > 0 })
      staged = this.#judge(statement, expectation, results[ordinal]!, staged)
    }
    return staged
  }

  #judge(statement: StatementInput, expectation: Expectation, outcome: StatementResult | Error, staged: State): State {
    const { success, codes } = expectation
    const expected = [...(success === undefined ? [] : ['success']), ...codes].join(' or ')
    if (outcome instanceof Error) {
      if (isReplogError(outcome) && codes.has(outcome.code)) {
        this.tally.note(statement, outcome.code)
        return staged
      }
      throw new Mismatch(`${text(statement)}\nfailed with ${shownError(outcome)}\nexpected ${expected}`)
    }
    if (success === undefined) {
      throw new Mismatch(`${text(statement)}\nanswered ${text(outcome)}\nexpected ${expected}`)
    }
    try {
      const after = success.settle(outcome)
      this.tally.note(statement, undefined)
      return after
    } catch (error) {
      throw new Mismatch(`${text(statement)}\n${(error as Error).message}`)
    }
  }

  #expectStatus(tx: Transaction, status: Transaction['status'], statement: StatementInput): void {
    if (tx.status === status) return
    throw new Mismatch(`the transaction is ${tx.status} and should be ${status} after ${text(statement)}`)
  }

  async #commit(staged: State): Promise<void> {
    const before = this.#state
    this.#state = committedState(staged)
    await this.#compareTouched(before, this.#state)
    if (this.#transactions % 25 === 0) await this.#compareAll()
  }

  /** Looks at the tables that a transaction changed, or wanted to. */
  async #compareTouched(one: State, other: State): Promise<void> {
    const listings = await this.#listings()
    const { tables } = this.#state
    if (listings.length !== tables.size) {
      const names = listings.map(({ schema, name }) => `${schema}.${name}`).join(' ')
      throw new Mismatch(`there are ${listings.length} tables and should be ${tables.size}: ${names}`)
    }
    const touched = [...tables.values()].filter(({ id }) => one.tables.get(id) !== other.tables.get(id))
    this.#require(await differencesOf(touched, this.#state, this.#cluster.db, listings))
  }

  async #compareAll(): Promise<void> {
    const listings = await this.#listings()
    this.#require(await differences(this.#state, this.#cluster.db, listings))
  }

  /** The tables as they are shown, when all that the server did about indexes by then is known. */
  async #listings(): Promise<readonly TableListing[]> {
    for (;;) {
      this.#learn()
      const before = this.#state
      const listings = await this.#cluster.db.tables()
      this.#learn()
      if (this.#state === before) return listings
    }
  }

  /** What has become of the indexes that the server may still have been making. */
  #learn(): void {
    for (const table of this.#state.tables.values()) {
      for (const index of table.indexes) if (index.maybeBuilding) this.#learnIndex(table.id, index.id)
    }
  }

  #learnIndex(tableId: number, indexId: number): void {
    const state = this.#state
    const table = state.tables.get(tableId)!
    const index = table.indexes.find(({ id }) => id === indexId)!
    const name = nameOf(state, table)
    const shown = this.#cluster.db.table(name).message.indexes.find((one) => one.name === index.name)
    if (shown?.building === true) return
    if (shown !== undefined) {
      this.tally.noteEvent('index built')
      if (cannotBe(table, index))
        throw new Mismatch(`index ${index.name} of ${name} is built, and rows are equal in it`)
      this.#state = withTable(state, withIndex(table, { ...index, maybeBuilding: false, metDuplicates: false }))
      return
    }
    if (!index.metDuplicates)
      throw new Mismatch(`index ${index.name} of ${name} was dropped, and no rows are equal in it`)
    this.tally.noteEvent('index could not be unique')
    const indexes = table.indexes.filter((one) => one !== index)
    this.#state = withTable(state, { ...table, indexes })
  }
}

function isAnyBuilding({ tables }: State): boolean {
  return [...tables.values()].some(({ indexes }) => indexes.some(({ maybeBuilding }) => maybeBuilding))
}

/** A commit is what the job that makes an index may find rows in. */
function committedState(state: State): State {
  let next = state
  for (const table of state.tables.values()) {
    const met = table.indexes.filter((index) => index.maybeBuilding && !index.metDuplicates && cannotBe(table, index))
    const noted = met.reduce<Table>((one, index) => withIndex(one, { ...index, metDuplicates: true }), table)
    if (noted !== table) next = withTable(next, noted)
  }
  return next
}

function withMarks(state: State, markOf: (id: number, mark: bigint) => bigint): State {
  let next = state
  for (const table of state.tables.values()) {
    const mark = markOf(table.id, table.mark)
    if (mark !== table.mark) next = withTable(next, { ...table, mark })
  }
  return next
}

function max(one: bigint, other: bigint): bigint {
  return one > other ? one : other
}

/** An addition is made when the transaction has its place; what is wrong with it shows then, and nowhere before. */
function isLeftToTheLane(statement: StatementInput, { success }: Expectation): boolean {
  return success === undefined && isAddition(statement)
}

function isAddition(statement: StatementInput): boolean {
  if (!('update' in statement)) return false
  return Object.values(statement.update.set).some((value) => typeof value === 'object' && value !== null)
}

/** Whether an insert leaves a value to the server, and whether a foreign key leads from it or to it. */
function chosenColumn(state: State, statement: StatementInput): { readonly isReferring: boolean } | undefined {
  const table = 'insert' in statement ? findTable(state, statement.insert.table) : undefined
  const id = table?.columns.find(({ autoIncrement }) => autoIncrement)?.id
  if (table === undefined || id === undefined) return undefined
  const isReferring = [...state.tables.values()].some(({ foreignKeys }) =>
    foreignKeys.some(({ columns, targetColumns }) => columns.includes(id) || targetColumns.includes(id)),
  )
  return { isReferring }
}

async function outcomeOf<Result>(promise: Promise<Result>): Promise<Result | Error> {
  try {
    return await promise
  } catch (error) {
    return error as Error
  }
}

function shownError(error: unknown): string {
  if (isReplogError(error)) return `${error.code} (${error.message})`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
