/**
 * A primary as a process that can be killed: `server-child DIR PORT`. Prints "ready PORT".
 *
 * It serves HTTP and sessions, and runs plans itself, embedded: one {"number", "plan"} as JSON in each line of stdin, one
 * {"number", "outcome", "events", "undone", "lsn"} in each line of stdout. Output is written synchronously: what the
 * parent reads was so. Ends cleanly when stdin does.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { isReplogError, messageOf } from '../../../core/errors.js'
import { listen } from '../../../log/http/listen.js'
import { createHttpServer } from '../../../log/http/server.js'
import type { Catalog } from '../../../primary/catalog.js'
import { registerPrimaryRoutes } from '../../../primary/http.js'
import { Primary } from '../../../primary/primary.js'
import { ServedPrimary } from '../../../primary/served-primary.js'
import type { Observation, Outcome } from './observation.js'
import { perform } from './perform.js'
import type { Plan } from './plan.js'

export interface PlanRequest {
  readonly number: number
  readonly plan: Plan
}

export interface PlanAnswer {
  readonly number: number
  readonly outcome: Outcome
  /** Why it did not commit: a code, or the message of what should not have been thrown. */
  readonly reason?: string
  readonly events: readonly Observation[]
  readonly undone: readonly Observation[]
  readonly lsn?: string
}

const say = (line: string): void => {
  writeSync(1, `${line}\n`)
}

async function answerTo({ number, plan }: PlanRequest, db: Catalog): Promise<PlanAnswer> {
  const { level: isolation, readOnly, call } = plan
  const notes = { events: [], undone: [] }
  const tx = db.begin({ isolation, readOnly, annotations: { call } })
  try {
    await perform(plan, tx, notes)
    if (plan.end === 'rollback') {
      tx.rollback()
      return { number, outcome: 'aborted', ...notes }
    }
    const { position } = await tx.commit()
    return { number, outcome: 'committed', ...notes, lsn: position.lsn.toString() }
  } catch (error) {
    tx.rollback()
    const outcome = isReplogError(error, 'COMMIT_UNKNOWN') ? 'unknown' : 'aborted'
    return { number, outcome, reason: isReplogError(error) ? error.code : messageOf(error), ...notes }
  }
}

async function main(path: string, port: number): Promise<void> {
  const onError = (error: unknown): void => {
    say(`fault ${messageOf(error)}`)
  }
  const primary = await Primary.open({ path, onError })
  const served = new ServedPrimary(primary, { name: 'histories', onError })
  const app = createHttpServer(served, { onError })
  registerPrimaryRoutes(app, primary)
  const url = await listen(app, { host: '127.0.0.1', port })
  served.sockets.attach(app.server)
  const db = primary.catalog()
  const input = createInterface({ input: process.stdin })
  input.on('line', (line) => {
    void answerTo(JSON.parse(line) as PlanRequest, db).then((answer) => {
      say(JSON.stringify(answer))
    })
  })
  input.on('close', () => {
    void served.close().then(async () => {
      await app.close()
      await primary.close()
    })
  })
  say(`ready ${new URL(url).port}`)
}

const [, , path = '', port = '0'] = process.argv
await main(path, Number(port))
