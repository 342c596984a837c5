/** Two transactions at once: each runs its statements with pauses, and says how it ended. */
import { setImmediate as turn } from 'node:timers/promises'
import { isReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import type { Catalog } from '../../primary/catalog.js'
import type { StatementInput, StatementResult } from '../../primary/statement.js'
import type { State } from './catalog.js'

export interface Work {
  readonly mode: 'interactive' | 'one-shot'
  readonly statements: StatementInput[]
  readonly pauses: number[]
  /** The catalog after them, if the other transaction did nothing. */
  preview: State
  isOver: boolean
}

export interface Commit {
  readonly work: Work
  readonly lsn: Lsn
  readonly outcomes: readonly (StatementResult | Error)[]
}

export interface Refusal {
  readonly work: Work
  readonly refused: unknown
}

/** Refusals of which the other transaction may be the cause. */
export const AT_ONCE: ReadonlySet<string> = new Set([
  'CONFLICT',
  'SCHEMA_CHANGED',
  'DEADLOCK',
  'LOCK_TIMEOUT',
  'FOREIGN_KEY_VIOLATION',
])

export function newWork(mode: Work['mode'], preview: State): Work {
  return { mode, statements: [], pauses: [], preview, isOver: false }
}

export async function perform(work: Work, db: Catalog): Promise<Commit | Refusal> {
  try {
    return work.mode === 'interactive' ? await interactive(work, db) : await oneShot(work, db)
  } catch (refused) {
    return { work, refused }
  }
}

async function interactive(work: Work, db: Catalog): Promise<Commit> {
  const tx = db.begin()
  const outcomes: (StatementResult | Error)[] = []
  for (const [ordinal, statement] of work.statements.entries()) {
    await pause(work.pauses[ordinal]!)
    try {
      outcomes.push(await tx.execute(statement))
    } catch (error) {
      if (!isReplogError(error) || tx.status !== 'open') throw error
      outcomes.push(error)
    }
  }
  const { position } = await tx.commit()
  return { work, lsn: position.lsn, outcomes }
}

async function oneShot(work: Work, db: Catalog): Promise<Commit> {
  await pause(work.pauses.reduce((sum, turns) => sum + turns, 0))
  const { lsn, results } = await db.execute(work.statements)
  return { work, lsn, outcomes: results }
}

async function pause(turns: number): Promise<void> {
  for (let count = 0; count < turns; count++) await turn()
}
