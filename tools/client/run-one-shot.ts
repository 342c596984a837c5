/**
 * Runs a one-shot transaction until the server has answered it.
 *
 * What writes has an idempotency key, so that sending it again after a lost answer does it once. (G10)
 */
import { randomUUID } from 'node:crypto'
import { ReplogError, isReplogError } from '../../core/errors.js'
import type { AckInput } from '../../primary/ack-gate.js'
import type { StatementInput, StatementResult } from '../../primary/statement.js'
import { answerWaitMs, commitUnknown } from './commit-outcome.js'
import type { Annotations, Executed } from './operations.js'
import { isWrite } from './transaction-life.js'
import { isAborted, isConflict, isOutage, isPassing, pauseBefore } from './retry.js'
import { type RunContext, type Work, runTransaction } from './run-transaction.js'

/** How a one-shot transaction is committed. */
export interface OneShotOptions {
  /** Carried in the log beside the statements, for the application's own use. */
  readonly annotations?: Annotations | undefined
  /** A repetition with the same key gets the first outcome. Made by the client when left out. */
  readonly idempotencyKey?: string | undefined
  /** How safe it must be before it is answered; as the server says by default when left out. */
  readonly ack?: AckInput | undefined
  readonly signal?: AbortSignal | undefined
}

/** @throws ReplogError of the server; UNREACHABLE (nothing was done), COMMIT_UNKNOWN; the signal's reason */
export async function runOneShot(
  run: RunContext,
  statements: readonly StatementInput[],
  options: OneShotOptions,
): Promise<Executed> {
  const names = statements.flatMap(statementNames)
  const isWriting = names.some(isWrite)
  if (isWriting && names.includes('scan')) return runAsTransaction(run, statements, options)
  const idempotencyKey = options.idempotencyKey ?? (isWriting ? randomUUID() : undefined)
  try {
    return await repeatUntilAnswered(run, statements, { ...options, idempotencyKey })
  } catch (error) {
    // The server keeps the results of what has a key, and these were too many. A commit has no results to keep.
    if (isReplogError(error, 'TOO_LARGE') && isWriting && options.idempotencyKey === undefined) {
      return runAsTransaction(run, statements, options)
    }
    throw error
  }
}

async function repeatUntilAnswered(
  { slot, settings, random }: RunContext,
  statements: readonly StatementInput[],
  { annotations, idempotencyKey, ack, signal }: OneShotOptions,
): Promise<Executed> {
  const deadlineMs = performance.now() + settings.resolveTimeoutMs
  let isInDoubt = false
  for (let attempt = 1; ; attempt++) {
    let isLost = true
    try {
      const channel = await slot.open(signal)
      const input = { statements, annotations, idempotencyKey, ...(ack === undefined ? {} : { ack }) }
      const timeoutMs = answerWaitMs(settings, ack)
      const exchange = channel.send('execute', input, { signal, timeoutMs })
      try {
        return await exchange.answer
      } catch (error) {
        const mayBeDone = exchange.state === 'sent' || isReplogError(error, 'COMMIT_UNKNOWN')
        isInDoubt ||= idempotencyKey !== undefined && mayBeDone
        isLost = !channel.connection.isOpen
        if (exchange.state === 'sent') slot.abandon(channel)
        throw error
      }
    } catch (error) {
      // In doubt, an answer of the server is the only way out; before that, nothing was done.
      const mayRepeat = isInDoubt ? isPassing(error) : isOutage(error) && isLost && attempt < settings.attemptsMax
      const isOver = isAborted(signal) || slot.isClosed || performance.now() > deadlineMs
      if (!mayRepeat || isOver) {
        if (isInDoubt && (isPassing(error) || isAborted(signal))) throw commitUnknown(idempotencyKey!, error)
        throw error
      }
    }
    await pauseBefore(attempt, random, signal).catch((reason: unknown) => {
      throw isInDoubt ? commitUnknown(idempotencyKey!, reason) : reason
    })
  }
}

/** Statement by statement, for what the server does not take as a one-shot with an idempotency key. */
async function runAsTransaction(
  run: RunContext,
  statements: readonly StatementInput[],
  options: OneShotOptions,
): Promise<Executed> {
  const work: Work<StatementResult[]> = async (transaction) => {
    const results: StatementResult[] = []
    for (const [ordinal, statement] of statements.entries()) {
      try {
        results.push(await transaction.execute(statement))
      } catch (error) {
        throw withStatement(error, ordinal)
      }
    }
    return results
  }
  const { result, committed } = await runTransaction(run, work, options)
  return { ...committed, lsn: committed.position.lsn, results: result }
}

function withStatement(error: unknown, ordinal: number): unknown {
  // What ended the transaction is known by its identity.
  if (!isReplogError(error) || error.details?.['transaction'] !== 'open' || isConflict(error)) return error
  return new ReplogError(error.code, error.message, { cause: error, details: { ...error.details, statement: ordinal } })
}

function statementNames(statement: StatementInput): string[] {
  if (typeof statement === 'object' && statement !== null) return Object.keys(statement)
  throw new ReplogError('INVALID_ARGUMENT', 'a statement is an object with one key, the name of the statement')
}
