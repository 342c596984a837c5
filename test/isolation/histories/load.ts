/**
 * Concurrent clients of one server, embedded in it, over HTTP and over sessions, and the record of what they saw.
 *
 * A commit whose answer was lost is resolved by its idempotency key where the client does that; elsewhere its outcome
 * stays unknown.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isReplogError, messageOf } from '../../../core/errors.js'
import { type Client, type RemoteTransaction } from '../../../tools/client/client.js'
import { until } from '../../replication/until.js'
import type { Random } from '../random.js'
import { type Observation, type OpenRecord, type Outcome, Recorder } from './observation.js'
import { type OneShot, type Result, planLook, planOneShot, planSwap } from './one-shots.js'
import { perform } from './perform.js'
import { type Level, type Plan, Planner } from './plan.js'
import type { ServerUnderTest } from './server-under-test.js'

/** Answers that a transaction may meet. Anything else is a fault. */
const EXPECTED_CODES: ReadonlySet<string> = new Set([
  ...['CONFLICT', 'DEADLOCK', 'LOCK_TIMEOUT', 'SCHEMA_CHANGED', 'SNAPSHOT_TOO_OLD', 'CHECK_FAILED', 'DUPLICATE_KEY'],
  ...['UNREACHABLE', 'COMMIT_UNKNOWN', 'CLOSED', 'NO_TRANSACTION'],
])
const HTTP_RETRY_MS = 15
const EMBEDDED_PAUSE_MS_MAX = 60
const HTTP_PAUSE_MS_MAX = 100
const LOST_ANSWER_CHANCE = 0.2
const LOST_ANSWER_MS_MAX = 12

class RollbackWanted extends Error {}

interface Attempt {
  readonly record: OpenRecord
  readonly tx: RemoteTransaction
}

/** How one call ended, and the LSN of its commit where that is known. */
interface Ended {
  readonly outcome: Outcome
  readonly lsn?: string | undefined
}

interface EndedCall extends Ended {
  readonly writes: boolean
}

export class Load {
  readonly recorder = new Recorder()
  /** Calls by what is known of them; for the log to be held against. */
  readonly calls = new Map<string, EndedCall>()
  readonly faults: string[] = []
  /** Transactions that ended, by the kind of client and by outcome. */
  readonly counts: Record<string, number> = {}
  readonly #server: ServerUnderTest
  readonly #random: Random
  readonly #planner: Planner
  #committed = 0
  #isOver = false

  constructor(server: ServerUnderTest, level: Level, random: Random) {
    this.#server = server
    this.#random = random
    this.#planner = new Planner(level, random)
  }

  /** Lets the clients run until so many more transactions have committed. */
  async committedMore(count: number): Promise<void> {
    const goal = this.#committed + count
    await until(() => this.#committed >= goal)
  }

  /** Clients end after the transaction that they are at. */
  stop(): void {
    this.#isOver = true
  }

  async embeddedClient(): Promise<void> {
    while (!this.#isOver) {
      await this.embedded(this.#planner.transaction())
      // Those with few round trips would leave nothing to those with many.
      await delay(this.#random.below(EMBEDDED_PAUSE_MS_MAX))
    }
  }

  /** Reads all that was written, when the clients have ended. */
  async readAll(): Promise<void> {
    for (const plan of this.#planner.readAll()) {
      const outcome = await this.embedded(plan)
      if (outcome !== 'committed') this.faults.push(`the last read was ${outcome}`)
    }
  }

  async embedded(plan: Plan): Promise<Outcome> {
    const record = this.recorder.begin('embedded')
    const answer = await this.#server.run(plan)
    if (answer === undefined) {
      // What it wrote, if it did commit, is not known here: it counts as whatever is seen of it.
      record.events.push(...plannedWrites(plan))
    } else {
      record.events.push(...answer.events)
      record.undone.push(...answer.undone)
      if (answer.reason !== undefined) this.#note(answer.reason, `embedded ${plan.call}`)
    }
    const outcome = answer?.outcome ?? (plan.end === 'commit' ? 'unknown' : 'aborted')
    this.#end('embedded', plan.call, [record], { outcome, lsn: answer?.lsn })
    return outcome
  }

  async httpClient(): Promise<void> {
    while (!this.#isOver) {
      await delay(this.#random.below(HTTP_PAUSE_MS_MAX))
      if (this.#random.chance(0.7)) {
        await this.#http(planOneShot(this.#planner, this.#random))
      } else {
        const { register, oneShot } = planLook(this.#planner, this.#random)
        const results = await this.#http(oneShot)
        const [event] = results === undefined ? [] : oneShot.seen(results)
        if (event?.type === 'register') await this.#http(planSwap(this.#planner, register, event.value))
      }
    }
  }

  /** @returns the results when it committed */
  async #http(oneShot: OneShot): Promise<readonly Result[] | undefined> {
    const { call, statements, hasWrites, hasScan } = oneShot
    const record = this.recorder.begin('http')
    const hasKey = hasWrites && !hasScan
    const body = JSON.stringify({
      statements,
      annotations: { call },
      ...(hasKey ? { idempotencyKey: call } : {}),
    })
    for (;;) {
      let answer: HttpAnswer
      try {
        // Some do not wait for the answer, as if it were lost on the way.
        const waitMs = this.#random.chance(LOST_ANSWER_CHANCE) ? this.#random.below(LOST_ANSWER_MS_MAX) : undefined
        answer = await post(`${this.#server.url}/v1/catalogs/local/transactions`, body, waitMs)
      } catch {
        if (hasKey) {
          await delay(HTTP_RETRY_MS)
          continue
        }
        record.events.push(...oneShot.writes)
        this.#end('http', call, [record], { outcome: hasWrites ? 'unknown' : 'aborted' })
        await delay(HTTP_RETRY_MS)
        return undefined
      }
      if (answer.results !== undefined) {
        record.events.push(...oneShot.seen(answer.results))
        this.#end('http', call, [record], { outcome: 'committed', lsn: hasWrites ? answer.lsn : undefined })
        return answer.results
      }
      this.#note(answer.code ?? 'no code', `HTTP ${call}`)
      if (hasKey && answer.code === 'COMMIT_UNKNOWN') continue
      record.events.push(...oneShot.writes)
      this.#end('http', call, [record], { outcome: answer.code === 'COMMIT_UNKNOWN' ? 'unknown' : 'aborted' })
      return undefined
    }
  }

  async sessionClient(client: Client): Promise<void> {
    while (!this.#isOver) {
      const dice = this.#random.below(10)
      if (dice < 6) await this.#repeated(client, this.#planner.transaction())
      else if (dice < 8) await this.#byHand(client, this.#planner.transaction())
      else await this.#executed(client, planOneShot(this.#planner, this.#random))
    }
  }

  /** `client.transaction` runs the work again and says which run's result counts. */
  async #repeated(client: Client, plan: Plan): Promise<void> {
    const { call, level: isolation, readOnly } = plan
    const attempts: Attempt[] = []
    // An attempt begins before the client begins its transaction, at the latest when the one before it has failed.
    let next = this.recorder.begin('session')
    try {
      const counting = await client.transaction(
        async (tx) => {
          const attempt = { record: next, tx }
          attempts.push(attempt)
          try {
            await perform(plan, tx, attempt.record)
          } finally {
            next = this.recorder.begin('session')
          }
          if (plan.end === 'rollback') throw new RollbackWanted()
          return attempt
        },
        { isolation, readOnly, annotations: { call } },
      )
      this.#endAttempts(call, attempts, counting)
    } catch (error) {
      if (isReplogError(error, 'COMMIT_UNKNOWN')) this.#endAttempts(call, attempts, undefined)
      else {
        this.#failed(
          call,
          error,
          attempts.map(({ record }) => record),
        )
      }
    }
  }

  /** @param counting the one whose result came back; undefined when the client could not learn whether one committed */
  #endAttempts(call: string, attempts: readonly Attempt[], counting: Attempt | undefined): void {
    // A commit whose answer was lost, and was then found by its key, may have been that of an earlier attempt.
    const inDoubt = attempts.filter(({ tx }) => tx.status === 'unknown')
    const candidates = attempts.filter((attempt) => attempt === counting || inDoubt.includes(attempt))
    const last = attempts.at(-1)
    if (inDoubt.length > 0 && last?.tx.status === 'committed' && !candidates.includes(last)) candidates.push(last)
    for (const attempt of attempts) if (!candidates.includes(attempt)) attempt.record.end('aborted')
    const outcome = counting === undefined ? 'unknown' : 'committed'
    const [first, ...others] = candidates.map(({ record }) => record)
    if (first === undefined) {
      this.faults.push(`${call} is called unknown, and no attempt of it is in doubt`)
    } else if (others.length === 0) {
      this.#end('session', call, [first], { outcome })
    } else {
      // It was one of several: what they wrote is known, as all wrote the same, and what it saw is not.
      first.events.splice(0, Infinity, ...first.events.filter(isWrite))
      first.end('unknown')
      this.#endCall('session', call, { outcome, writes: !isReader(first) })
    }
  }

  async #byHand(client: Client, plan: Plan): Promise<void> {
    const { call, level: isolation, readOnly } = plan
    const records: OpenRecord[] = []
    try {
      const session = await client.session()
      try {
        const record = this.recorder.begin('by-hand')
        records.push(record)
        const tx: RemoteTransaction = await session.begin({ isolation, readOnly, annotations: { call } })
        await perform(plan, tx, record)
        if (plan.end === 'rollback') throw new RollbackWanted()
        const { position } = await tx.commit()
        const lsn = isReader(record) ? undefined : position.lsn.toString()
        this.#end('session', call, [record], { outcome: 'committed', lsn })
      } finally {
        session.release()
      }
    } catch (error) {
      this.#failed(call, error, records)
    }
  }

  async #executed(client: Client, oneShot: OneShot): Promise<void> {
    const { call, statements, hasScan, hasWrites } = oneShot
    // What writes gets a key of the client, and so can hold no scan.
    if (hasScan && hasWrites) return
    const record = this.recorder.begin('one-shot')
    try {
      const { lsn, results } = await client.execute(statements, { annotations: { call } })
      record.events.push(...oneShot.seen(results))
      const outcome = { outcome: 'committed', lsn: hasWrites ? lsn.toString() : undefined } as const
      this.#end('session', call, [record], outcome)
    } catch (error) {
      record.events.push(...oneShot.writes)
      this.#failed(call, error, [record])
    }
  }

  #failed(call: string, error: unknown, records: readonly OpenRecord[]): void {
    if (!(error instanceof RollbackWanted)) {
      this.#note(isReplogError(error) ? error.code : messageOf(error), `session ${call}`)
    }
    this.#end('session', call, records, { outcome: isReplogError(error, 'COMMIT_UNKNOWN') ? 'unknown' : 'aborted' })
  }

  #end(kind: string, call: string, records: readonly OpenRecord[], ended: Ended): void {
    for (const record of records) record.end(ended.outcome)
    this.#endCall(kind, call, { ...ended, writes: records.some((record) => !isReader(record)) })
  }

  #endCall(kind: string, call: string, ended: EndedCall): void {
    this.calls.set(call, ended)
    const name = `${kind} ${ended.outcome}`
    this.counts[name] = (this.counts[name] ?? 0) + 1
    if (ended.outcome === 'committed') this.#committed++
  }

  #note(reason: string, where: string): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1
    if (!EXPECTED_CODES.has(reason)) this.faults.push(`${where}: ${reason}`)
  }
}

function isReader({ events }: OpenRecord): boolean {
  return !events.some(isWrite)
}

function isWrite({ type }: Observation): boolean {
  return type === 'append' || type === 'write' || type === 'insert' || type === 'add'
}

/** What a plan writes when it gets to its end; of transfers it depends on what they find. */
function plannedWrites({ steps }: Plan): OpenRecord['events'] {
  return steps.flatMap((step): OpenRecord['events'] => {
    if (step.do === 'append') return [{ type: 'append', list: step.list, value: step.value }]
    if (step.do === 'write') return [{ type: 'write', register: `${step.register}`, value: step.value }]
    if (step.do === 'insert') return [{ type: 'insert', set: step.set, element: step.element }]
    if (step.do === 'add') return [{ type: 'add', counter: `${step.counter}` }]
    if (step.do !== 'transfer') return []
    return [step.from, step.to].map((id, at) => ({
      type: 'write',
      register: `account ${id}`,
      value: step.versions[at === 0 ? 0 : 1],
    }))
  })
}

interface HttpAnswer {
  readonly lsn?: string
  readonly results?: readonly Result[]
  readonly code?: string
}

/** @throws when no answer comes, or none within `waitMs` */
async function post(url: string, body: string, waitMs: number | undefined): Promise<HttpAnswer> {
  const signal = waitMs === undefined ? null : AbortSignal.timeout(waitMs)
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal })
  return (await response.json()) as HttpAnswer
}
