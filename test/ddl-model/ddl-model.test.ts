/**
 * G1, G4, G5, G6, G7: ten thousand transactions of any mix of DDL and DML, interactive and in one go, with savepoints,
 * failing statements, rollbacks, crashes, two at once, and a replica that comes and goes, do what a model of them in
 * memory says: the same answers, the same refusals, the same dictionary, rows, orders and constraints.
 *
 * Half of them are here, half in `ddl-model-again.test.ts`. REPLOG_TORTURE_ROUNDS sets how many, REPLOG_TEST_SEED which.
 */
import t from 'tap'
import { TEST_SEED } from '../isolation/random.js'
import { STATEMENT_NAMES } from '../../primary/run-statement.js'
import { ROUNDS_TIMEOUT_MS, runRounds } from './rounds.js'

// Not a bound on the product: a busy machine may take its time.
t.setTimeout(ROUNDS_TIMEOUT_MS)

/** What cannot but come about in so many transactions. */
const EVENTS = [
  'crash',
  'crash before a commit',
  'crash behind a commit',
  'commit refused',
  'index built',
  'index could not be unique',
  '1 of two transactions at once',
  '2 of two transactions at once',
]
const CODES = [
  'ALREADY_EXISTS',
  'CHECK_VIOLATION',
  'DEPENDENT_OBJECTS',
  'DUPLICATE_KEY',
  'FOREIGN_KEY_VIOLATION',
  'INDEX_BUILDING',
  'INVALID_ARGUMENT',
  'INVALID_DEFINITION',
  'INVALID_VALUE',
  'NOT_FOUND',
]
const CHANGES = [
  ...[
    'addColumn',
    'dropColumn',
    'renameColumn',
    'moveColumn',
    'setDefault',
    'dropDefault',
    'setNotNull',
    'dropNotNull',
  ],
  ...['setType', 'setColumnComment', 'addIndex', 'dropIndex', 'renameIndex', 'setPrimaryKey', 'addForeignKey'],
  ...['dropForeignKey', 'addCheck', 'dropCheck', 'setComment', 'setOptions', 'setRowImage'],
]

void t.test(`transactions do what the model says, seed ${TEST_SEED}`, { timeout: ROUNDS_TIMEOUT_MS }, async (t) => {
  const { done, refused, events } = await runRounds(t, 1)
  const missing = (names: readonly string[], seen: Iterable<string>): string[] => {
    const all = new Set(seen)
    return names.filter((name) => !all.has(name))
  }
  // Whatever is never tried proves nothing. Preconditions are no statements of this model.
  const names = STATEMENT_NAMES.filter((name) => name !== 'check')
  const changes = CHANGES.map((name) => `alterTable.${name}`)
  t.same(missing([...names, ...changes], done.keys()), [], 'each statement and change was made')
  const refusals = [...refused.keys()].map((name) => name.split(' ') as [string, string])
  t.same(
    missing(
      [...names, ...changes],
      refusals.map(([name]) => name),
    ),
    [],
    'and each was refused',
  )
  t.same(
    missing(
      CODES,
      refusals.map(([, code]) => code),
    ),
    [],
    'for every reason',
  )
  t.same(missing(EVENTS, events.keys()), [])
})
