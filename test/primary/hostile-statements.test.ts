/**
 * G5: whatever value stands in whatever place of a statement, an embedding application gets a ReplogError that says what
 * is wrong, and its transaction stays open and as it was: never a TypeError from within, never half a statement.
 */
import t from 'tap'
import { type ErrorCode, isReplogError } from '../../core/errors.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Transaction } from '../../primary/transaction.js'
import { STATEMENT_NAMES } from '../../primary/run-statement.js'
import { HOSTILE, placesIn, withPlace } from './hostile-values.js'
import { type OpenedPrimary, openGated } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'
import { transactionsOf } from './transactions-of.js'

const COLUMN = { name: 'z', type: 'INTEGER', notNull: false, default: 5, autoIncrement: false, comment: 'c' }
const EXPRESSION = {
  and: [
    { lt: [{ column: 'id' }, 5] },
    { in: [{ column: 'id' }, [1, 2]] },
    { between: [{ column: 'id' }, 1, 5] },
    { not: { isNull: { column: 'id' } } },
  ],
}
const FOREIGN_KEY = {
  name: 'f2',
  columns: ['id'],
  references: { table: 'p', columns: ['id'] },
  onDelete: 'cascade',
  onUpdate: 'restrict',
}

/** Each runs as it stands; the test puts every hostile value in every place of it. */
const STATEMENTS: readonly (readonly [name: string, input: unknown])[] = [
  ['insert', { table: 'p', rows: [{ id: 7, u: 7, v: 'a', j: {} }] }],
  ['update', { table: 'p', key: { id: 1 }, set: { u: { add: 1 }, v: 'b', j: [1] } }],
  ['delete', { table: 'c', key: { id: 1 } }],
  ['get', { table: 'p', key: { id: 1 } }],
  ['getForUpdate', { table: 'p', key: { id: 1 }, timeoutMs: 10 }],
  ['scan', { table: 'p', index: 'uu', from: { u: 1 }, to: { u: 3 }, limit: 3, reverse: true }],
  ['scan', { table: 'p', prefix: { id: 1 } }],
  ['check', { table: 'p', key: { id: 1 }, exists: true, equals: { u: 1, j: { a: 1 } } }],
  [
    'createTable',
    {
      table: {
        schema: 'test',
        name: 't',
        columns: [{ ...COLUMN, name: 'id', notNull: true }],
        primaryKey: ['id'],
        indexes: [{ name: 'i', columns: [{ column: 'id', descending: true }], unique: true }],
        checks: [{ name: 'k', expression: EXPRESSION }],
        foreignKeys: [FOREIGN_KEY],
        comment: 'c',
        options: { a: 'b' },
        rowImage: 'minimal',
      },
      ifNotExists: true,
    },
  ],
  [
    'createTableAs',
    {
      table: 't2',
      from: { table: 'p', index: 'uu', from: { u: 1 }, to: { u: 3 }, limit: 3, reverse: true },
      columns: ['id', { column: 'v', as: 'w' }],
      where: { eq: [{ column: 'v' }, 'a'] },
      primaryKey: ['id'],
      ifNotExists: true,
    },
  ],
  ['createTableAs', { table: 't3', from: { table: 'p', prefix: { id: 1 } } }],
  ...[
    { addColumn: { ...COLUMN, first: true } },
    { addColumn: { ...COLUMN, after: 'id' } },
    { dropColumn: { name: 'w' } },
    { renameColumn: { name: 'v', to: 'vv' } },
    { moveColumn: { name: 'v', after: 'id' } },
    { setDefault: { column: 'v', default: 'q' } },
    { dropDefault: { column: 'v' } },
    { setNotNull: { column: 'v' } },
    { dropNotNull: { column: 'v' } },
    { setType: { column: 'v', type: 'VARCHAR(20)' } },
    { setColumnComment: { column: 'v', comment: 'x' } },
    { addIndex: { name: 'y', columns: ['v'], unique: true } },
    { renameIndex: { name: 'vv', to: 'y2' } },
    { dropIndex: { name: 'vv' } },
    { setPrimaryKey: { columns: ['id', 'u'] } },
    { addForeignKey: { ...FOREIGN_KEY, columns: ['u'], onDelete: 'set null' } },
    { addCheck: { name: 'cc', expression: EXPRESSION } },
    { dropCheck: { name: 'k' } },
    { setComment: { comment: 'x' } },
    { setOptions: { a: 'b', c: null } },
    { setRowImage: { rowImage: 'minimal' } },
  ].map((change) => ['alterTable', { table: 'p', changes: [change] }] as const),
  ['alterTable', { table: 'c', changes: [{ dropForeignKey: { name: 'f' } }] }],
  ['renameTables', { tables: [{ from: 'p', to: 'pp' }] }],
  ['truncateTable', { table: 'c' }],
  ['dropTable', { table: 'c', ifExists: true }],
  ['dropTable', { table: 'c' }],
  ['createIndex', { table: 'p', index: { name: 'x', columns: ['v'], unique: true }, ifNotExists: true }],
  ['dropIndex', { table: 'p', index: 'vv', ifExists: true }],
  ['dropIndex', { table: 'p', index: 'vv' }],
  ['createSchema', { schema: 's', ifNotExists: true, comment: 'c', options: { a: 'b' } }],
  ['alterSchema', { schema: 'test', name: 's', comment: 'c', options: { a: 'b', c: null } }],
  ['dropSchema', { schema: 'test', ifExists: true, cascade: true }],
  ['dropSchema', { schema: 'spare' }],
]

/** The methods of a transaction, with arguments that they take. */
const METHODS: readonly (readonly [name: string, args: readonly unknown[], call: Call])[] = [
  ['insert', ['p', { id: 7 }], (tx, [a, b]) => tx.insert(a, b)],
  ['update', ['p', { id: 1 }, { u: 2 }], (tx, [a, b, c]) => tx.update(a, b, c)],
  ['delete', ['c', { id: 1 }], (tx, [a, b]) => tx.delete(a, b)],
  ['get', ['p', { id: 1 }], (tx, [a, b]) => tx.get(a, b)],
  ['getForUpdate', ['p', { id: 1 }, { timeoutMs: 10 }], (tx, [a, b, c]) => tx.getForUpdate(a, b, c)],
  ['check', ['p', { id: 1 }, { exists: true }], (tx, [a, b, c]) => tx.check(a, b, c)],
  ['scan', ['p', { limit: 1 }], (tx, [a, b]) => collect(tx.scan(a, b))],
  ['openCursor', ['p', { limit: 1 }, 1], async (tx, [a, b, c]) => tx.openCursor(a, b).fetch(c)],
  [
    'createTable',
    [{ name: 't', columns: [COLUMN], primaryKey: ['z'] }, { ifNotExists: true }],
    (tx, [a, b]) => tx.createTable(a, b),
  ],
  ['createTableAs', ['t2', 'p', { columns: ['id'] }], (tx, [a, b, c]) => tx.createTableAs(a, b, c)],
  ['alterTable', ['p', [{ dropIndex: { name: 'vv' } }]], (tx, [a, b]) => tx.alterTable(a, b)],
  ['renameTables', [[{ from: 'p', to: 'pp' }]], (tx, [a]) => tx.renameTables(a)],
  ['truncateTable', ['c'], (tx, [a]) => tx.truncateTable(a)],
  ['dropTable', ['c', { ifExists: true }], (tx, [a, b]) => tx.dropTable(a, b)],
  ['createIndex', ['p', { name: 'x', columns: ['v'] }, {}], (tx, [a, b, c]) => tx.createIndex(a, b, c)],
  ['dropIndex', ['p', 'vv', {}], (tx, [a, b, c]) => tx.dropIndex(a, b, c)],
  ['createSchema', ['s', { comment: 'c' }], (tx, [a, b]) => tx.createSchema(a, b)],
  ['alterSchema', ['test', { comment: 'c' }], (tx, [a, b]) => tx.alterSchema(a, b)],
  ['dropSchema', ['spare', { cascade: true }], (tx, [a, b]) => tx.dropSchema(a, b)],
]

/** With arguments of any type. */
type Call = (tx: Transaction, args: readonly [never, never, never]) => Promise<unknown>

/** Codes that say what is wrong with a statement; CORRUPT or CONFLICT would blame the store or somebody else. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'INVALID_ARGUMENT',
  'INVALID_DEFINITION',
  'INVALID_VALUE',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'DEPENDENT_OBJECTS',
  'DUPLICATE_KEY',
  'CHECK_FAILED',
  'CHECK_VIOLATION',
  'FOREIGN_KEY_VIOLATION',
])

/** Tables and rows that the statements use; `marks` is for the transactions alone. */
async function openTables(t: Parameters<typeof openGated>[0]): Promise<OpenedPrimary> {
  const opened = await openGated(t)
  const columns = (names: Readonly<Record<string, string>>) =>
    Object.entries(names).map(([name, type]) => ({ name, type }))
  await opened.db.transaction(async (tx) => {
    await tx.createTable({ name: 'marks', columns: columns({ id: 'INTEGER' }), primaryKey: ['id'] })
    await tx.createTable({
      name: 'p',
      columns: columns({ id: 'INTEGER', u: 'INTEGER', v: 'TEXT', w: 'TEXT', j: 'JSON' }),
      primaryKey: ['id'],
      indexes: [
        { name: 'uu', columns: ['u'], unique: true },
        { name: 'vv', columns: ['v'] },
      ],
      checks: [{ name: 'k', expression: { lt: [{ column: 'u' }, 1000] } }],
    })
    await tx.createTable({
      name: 'c',
      columns: columns({ id: 'INTEGER', p: 'INTEGER' }),
      primaryKey: ['id'],
      foreignKeys: [{ name: 'f', columns: ['p'], references: { table: 'marks' } }],
    })
    await tx.createSchema('spare')
    await tx.insert('p', { id: 1, u: 1, v: 'a', j: { a: 1 } })
    await tx.insert('c', { id: 1 })
  })
  return opened
}

/** What is wrong with how `work` ended; undefined when it was refused properly, or did something. */
async function flawOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work()
  } catch (error) {
    if (!isReplogError(error)) return String(error)
    if (!REFUSALS.has(error.code) || error.message === '') return `${error.code}: ${error.message}`
  }
  return undefined
}

/**
 * Gives one transaction all hostile values and commits it.
 * @returns what went wrong, by value
 */
async function tryAll(
  db: Catalog,
  mark: number,
  run: (tx: Transaction, value: unknown) => Promise<unknown>,
): Promise<string[]> {
  const flaws: string[] = []
  const tx = db.begin()
  await tx.insert('marks', { id: mark })
  for (const [label, value] of HOSTILE) {
    tx.savepoint('before')
    const flaw = await flawOf(async () => {
      await run(tx, value)
      // It was a value that may stand there.
      tx.rollbackTo('before')
    })
    if (flaw !== undefined) flaws.push(`${label}: ${flaw}`)
    if (tx.status !== 'open') return [...flaws, `${label}: the transaction is ${tx.status}`]
  }
  await tx.commit()
  return flaws
}

/** Every transaction since `from` did nothing but insert its mark. */
async function requireMarksOnly(
  t: Parameters<typeof openGated>[0],
  opened: OpenedPrimary,
  from: number,
): Promise<void> {
  const { id } = opened.db.table('marks')
  const transactions = (await transactionsOf(opened.primary)).slice(from)
  t.ok(transactions.length > 0)
  for (const { statements } of transactions) {
    t.match(statements, [{ kind: 'insert', tableId: id }])
    t.equal(statements.length, 1, 'what was refused or undone left nothing')
  }
}

void t.test('the statements are all there are, and run as they stand', async (t) => {
  const { db } = await openTables(t)
  t.same([...new Set(STATEMENTS.map(([name]) => name))].sort(), [...STATEMENT_NAMES, 'getForUpdate'].sort())
  for (const [name, input] of STATEMENTS) {
    const tx = db.begin()
    if (name === 'dropSchema') await tx.alterTable('c', [{ dropForeignKey: { name: 'f' } }])
    t.equal(await outcomeOf(tx.execute({ [name]: input } as never)), 'resolved', `${name} ${JSON.stringify(input)}`)
    tx.rollback()
  }
  for (const [name, args, call] of METHODS) {
    const tx = db.begin()
    t.equal(await outcomeOf(call(tx, args as never)), 'resolved', `tx.${name}`)
    tx.rollback()
  }
})

void t.test('any value in any place of a statement in a transaction', async (t) => {
  const opened = await openTables(t)
  const from = (await transactionsOf(opened.primary)).length
  let mark = 0
  for (const [name, input] of STATEMENTS) {
    for (const path of placesIn(input)) {
      const flaws = await tryAll(opened.db, mark++, (tx, value) =>
        tx.execute({ [name]: withPlace(input, path, value) } as never),
      )
      t.same(flaws, [], [name, ...path].join('.'))
    }
  }
  t.same(await tryAll(opened.db, mark++, (tx, value) => tx.execute(value as never)), [], 'the statement itself')
  await requireMarksOnly(t, opened, from)
})

void t.test('any value as an argument of a method of a transaction', async (t) => {
  const opened = await openTables(t)
  const from = (await transactionsOf(opened.primary)).length
  let mark = 0
  for (const [name, args, call] of METHODS) {
    for (const place of args.keys()) {
      const flaws = await tryAll(opened.db, mark++, (tx, value) => call(tx, args.with(place, value) as never))
      t.same(flaws, [], `tx.${name}, argument ${place + 1}`)
    }
  }
  await requireMarksOnly(t, opened, from)
})

void t.test('any value in any place of a one-shot transaction that is refused', async (t) => {
  const { primary, db } = await openTables(t)
  const { lsn } = primary.position
  // What is not refused before is refused here.
  const refusal = { check: { table: 'marks', key: { id: -1 } } }
  const tryOne = async (statement: unknown): Promise<string | undefined> => {
    const flaw = await flawOf(() => db.execute([statement, refusal] as never))
    return primary.position.lsn === lsn ? flaw : 'it has committed'
  }
  for (const [name, input] of STATEMENTS) {
    for (const path of placesIn(input)) {
      // What lies deeper is looked at by the same code as in the test before.
      if (path.length > 2) continue
      const flaws: string[] = []
      for (const [label, value] of HOSTILE) {
        const flaw = await tryOne({ [name]: withPlace(input, path, value) })
        if (flaw !== undefined) flaws.push(`${label}: ${flaw}`)
      }
      t.same(flaws, [], [name, ...path].join('.'))
    }
  }
  for (const [label, value] of HOSTILE) t.equal(await tryOne(value), undefined, `the statement is ${label}`)
  t.equal(await outcomeOf(db.execute(new Array(1) as never)), 'INVALID_ARGUMENT', 'a list with a hole')
})

void t.test('a flag is true or false, so that no text is taken for the one or the other', async (t) => {
  const { db } = await openTables(t)
  const flags: readonly (readonly [name: string, input: object, flag: string])[] = [
    ['createTableAs', { table: 't', from: { table: 'p' } }, 'ifNotExists'],
    ['dropTable', { table: 'c' }, 'ifExists'],
    ['createIndex', { table: 'p', index: { name: 'x', columns: ['v'] } }, 'ifNotExists'],
    ['dropIndex', { table: 'p', index: 'vv' }, 'ifExists'],
    ['createSchema', { schema: 's' }, 'ifNotExists'],
    ['dropSchema', { schema: 'spare' }, 'cascade'],
    ['scan', { table: 'p' }, 'reverse'],
    ['check', { table: 'p', key: { id: 1 } }, 'exists'],
  ]
  for (const [name, input, flag] of flags) {
    for (const value of ['false', 0, null]) {
      const statement = { [name]: { ...input, [flag]: value } } as never
      t.equal(await outcomeOf(db.execute([statement])), 'INVALID_ARGUMENT', `${name}.${flag}: ${JSON.stringify(value)}`)
    }
  }
})

void t.test('a list in the place of a name is not read as the text that it would be', async (t) => {
  const { db } = await openTables(t)
  t.equal(await outcomeOf(db.execute([{ get: { table: ['p'], key: { id: 1 } } }] as never)), 'INVALID_ARGUMENT')
  t.equal(await outcomeOf(db.execute([{ dropSchema: { schema: [0x73] } }] as never)), 'INVALID_ARGUMENT')
})
