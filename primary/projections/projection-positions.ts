/**
 * Where projections stand: rows of `replog.projections`, each moved in the transaction of what the projection wrote.
 *
 *   name     token                        runner    changes   moved_at
 *   totals   7.120.af…  (NULL: not begun)  (uuid)    4711      2026-…
 *
 * Who runs a projection has written its own id there. Whoever takes it over writes another, so that the one before finds
 * that the row is not as it left it, in the transaction in which it would move it, and stops.
 *
 * Invariants:
 * - a row moves only in a transaction that has found it as its runner left it, and that is validated at the commit: of two
 *   runners one commits, and no change is applied twice; (G4)
 * - whatever moves the row by another way gives it another runner.
 */
import { randomUUID } from 'node:crypto'
import { ReplogError } from '../../core/errors.js'
import { PROJECTION_NAME_LENGTH_MAX } from '../../core/limits.js'
import {
  type ConsumerCatalog,
  type SystemTableDefinition,
  ensureSystemTable,
  hasSystemTable,
  systemTableName,
} from '../system-tables.js'
import type { Transaction } from '../transaction.js'

const DEFINITION: SystemTableDefinition = {
  name: 'projections',
  columns: [
    { name: 'name', type: `VARCHAR(${PROJECTION_NAME_LENGTH_MAX})` },
    { name: 'token', type: 'TEXT' },
    { name: 'runner', type: 'UUID' },
    { name: 'changes', type: 'BIGINT', notNull: true },
    { name: 'moved_at', type: 'TIMESTAMP', notNull: true },
  ],
  primaryKey: ['name'],
}

export const PROJECTIONS_TABLE = systemTableName(DEFINITION.name)

export interface ProjectionRow {
  readonly name: string
  /** Null as long as it is not known where it begins: before the first row of a snapshot, and after a reset. */
  readonly token: string | null
  /** Null when nobody has run it since it was reset. */
  readonly runner: string | null
  /** Applied so far. */
  readonly changes: bigint
  /** When it moved last, ISO 8601. */
  readonly movedAt: string
}

/** A projection as its runner left it. */
export interface HeldPosition {
  readonly token: string | null
  readonly changes: bigint
}

export class ProjectionPosition {
  readonly #name: string
  readonly #runner = randomUUID()
  #held: HeldPosition = { token: null, changes: 0n }

  constructor(name: string) {
    this.#name = name
  }

  /** As of the last transaction of this runner that committed. */
  get held(): HeldPosition {
    return this.#held
  }

  /** Makes this the runner, whoever was before. @throws ReplogError as any commit; ALREADY_EXISTS (a schema of users) */
  async takeOver(db: ConsumerCatalog, nowUs: () => bigint): Promise<HeldPosition> {
    await ensureSystemTable(db, DEFINITION)
    this.#held = await db.transaction(
      async (transaction) => {
        const found = await rowOf(transaction, this.#name)
        const row = { name: this.#name, token: null, runner: this.#runner, changes: 0n, moved_at: instantOf(nowUs()) }
        if (found === undefined) {
          await transaction.runAsSystem({ insert: { table: PROJECTIONS_TABLE, rows: [row] } })
          return { token: null, changes: 0n }
        }
        await update(transaction, this.#name, { runner: this.#runner })
        return { token: found.token, changes: found.changes }
      },
      { ack: 'local' },
    )
    return this.#held
  }

  /** Within a transaction, before it commits. @throws ReplogError PROJECTION_MOVED */
  async move(transaction: Transaction, next: HeldPosition, nowUs: bigint): Promise<void> {
    const found = await rowOf(transaction, this.#name)
    if (found?.runner !== this.#runner || found.token !== this.#held.token) {
      throw new ReplogError(
        'PROJECTION_MOVED',
        `projection ${JSON.stringify(this.#name)} ` +
          (found === undefined
            ? 'was dropped'
            : found.runner === null
              ? 'was reset'
              : 'was started a second time, and the newer runner goes on') +
          '; nothing that this runner had not committed is applied',
      )
    }
    await update(transaction, this.#name, { token: next.token, changes: next.changes, moved_at: instantOf(nowUs) })
  }

  /** When that transaction has committed. */
  moved(next: HeldPosition): void {
    this.#held = next
  }
}

/** All of a catalog. @throws ReplogError NOT_FOUND (catalog) */
export async function listProjections(db: ConsumerCatalog): Promise<ProjectionRow[]> {
  const transaction = db.begin({ readOnly: true })
  try {
    if (!hasSystemTable(db, DEFINITION.name)) return []
    const rows: ProjectionRow[] = []
    for await (const row of transaction.scan(PROJECTIONS_TABLE)) rows.push(projectionOf(row))
    return rows
  } finally {
    transaction.rollback()
  }
}

/**
 * Takes the position of a projection away, or the projection itself, in a transaction that may do more.
 * @throws ReplogError NOT_FOUND
 */
export async function clearProjection(
  db: ConsumerCatalog,
  name: string,
  how: 'reset' | 'drop',
  work: ((transaction: Transaction) => Promise<unknown>) | undefined,
  nowUs: () => bigint,
): Promise<void> {
  await db.transaction(async (transaction) => {
    const isThere = hasSystemTable(db, DEFINITION.name) && (await rowOf(transaction, name)) !== undefined
    if (!isThere) {
      throw new ReplogError(
        'NOT_FOUND',
        `there is no projection ${JSON.stringify(name)} in catalog ${db.name}; \`projections.list()\` names those that are`,
      )
    }
    if (work !== undefined) await transaction.asGuest('a projection', () => work(transaction))
    if (how === 'drop') await transaction.runAsSystem({ delete: { table: PROJECTIONS_TABLE, key: { name } } })
    else await update(transaction, name, { token: null, runner: null, changes: 0n, moved_at: instantOf(nowUs()) })
  })
}

async function rowOf(transaction: Transaction, name: string): Promise<ProjectionRow | undefined> {
  const row = await transaction.get(PROJECTIONS_TABLE, { name })
  return row && projectionOf(row)
}

function projectionOf({ name, token, runner, changes, moved_at: movedAt }: Record<string, unknown>): ProjectionRow {
  return {
    name: name as string,
    token: token as string | null,
    runner: runner as string | null,
    changes: changes as bigint,
    movedAt: movedAt as string,
  }
}

async function update(transaction: Transaction, name: string, set: Readonly<Record<string, unknown>>): Promise<void> {
  await transaction.runAsSystem({ update: { table: PROJECTIONS_TABLE, key: { name }, set } })
}

function instantOf(us: bigint): Date {
  return new Date(Number(us / 1000n))
}
