/** G4: scans by key and index, by prefix and range, both ways, at one LSN while others write, against a model in an array. */
import fc from 'fast-check'
import t from 'tap'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import type { ScanOptions } from '../../log/scan.js'
import { openOnDisk } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'

interface Point {
  readonly x: number
  readonly y: number
  readonly tag: string | null
}

const POINTS: TableDefinition = {
  name: 'points',
  columns: [
    { name: 'x', type: 'INTEGER' },
    { name: 'y', type: 'INTEGER' },
    { name: 'tag', type: 'VARCHAR(5)' },
  ],
  primaryKey: ['x', { column: 'y', descending: true }],
  indexes: [
    { name: 'tag', columns: ['tag', 'y'] },
    { name: 'unique', columns: [{ column: 'tag', descending: true }, 'x', 'y'], unique: true },
  ],
}

const SIDE = 5
const coordinate = fc.integer({ min: 0, max: SIDE - 1 })
const tag = fc.constantFrom(null, '', 'a', 'b', 'é')

type Change =
  { readonly kind: 'put'; readonly point: Point } | { readonly kind: 'delete'; readonly x: number; readonly y: number }

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), point: fc.record({ x: coordinate, y: coordinate, tag }) }),
  fc.record({ kind: fc.constant('delete' as const), x: coordinate, y: coordinate }),
)

/** One comparable text per column, in the order of the key; upside down where it descends. */
type Columns = readonly { readonly name: keyof Point; readonly descending?: boolean }[]
const ORDERS: Record<string, Columns> = {
  primary: [{ name: 'x' }, { name: 'y', descending: true }],
  tag: [{ name: 'tag' }, { name: 'y' }, { name: 'x' }, { name: 'y', descending: true }],
  unique: [{ name: 'tag', descending: true }, { name: 'x' }, { name: 'y' }],
}
const KEY_COLUMNS: Record<string, number> = { primary: 2, tag: 2, unique: 3 }

function compare(left: Partial<Point>, right: Partial<Point>, columns: Columns): number {
  for (const { name, descending } of columns) {
    if (left[name] === undefined || right[name] === undefined) return 0
    const [a, b] = [left[name] ?? '', right[name] ?? '']
    // NULL comes before the empty string.
    const order = (left[name] === null ? 0 : 1) - (right[name] === null ? 0 : 1) || (a < b ? -1 : a > b ? 1 : 0)
    if (order !== 0) return descending === true ? -order : order
  }
  return 0
}

const bounds = fc.record({
  index: fc.constantFrom('primary', 'tag', 'unique'),
  prefixLength: fc.integer({ min: 0, max: 2 }),
  fromLength: fc.integer({ min: 0, max: 2 }),
  toLength: fc.integer({ min: 0, max: 2 }),
  values: fc.tuple(...[1, 2, 3].map(() => fc.record({ x: coordinate, y: coordinate, tag }))),
  limit: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
  reverse: fc.boolean(),
})
type Bounds = typeof bounds extends fc.Arbitrary<infer Value> ? Value : never

/** The scan that the bounds stand for, and what it must give. */
function plan(bound: Bounds): { options: ScanOptions; select: (points: readonly Point[]) => Point[] } {
  const columns = ORDERS[bound.index]!
  const keyColumns = columns.slice(0, KEY_COLUMNS[bound.index])
  const prefixLength = Math.min(bound.prefixLength, keyColumns.length)
  const part = (value: Point, start: number, length: number): Partial<Point> | undefined => {
    const names = keyColumns.slice(start, start + length).map(({ name }) => name)
    return names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, value[name]]))
  }
  const [prefixValue, fromValue, toValue] = bound.values as [Point, Point, Point]
  const prefix = part(prefixValue, 0, prefixLength)
  const from = part(fromValue, prefixLength, bound.fromLength)
  const to = part(toValue, prefixLength, bound.toLength)
  const options: ScanOptions = {
    index: bound.index === 'primary' ? undefined : bound.index,
    prefix,
    from,
    to,
    limit: bound.limit,
    reverse: bound.reverse,
  }
  const select = (points: readonly Point[]): Point[] => {
    const rest = columns.slice(prefixLength)
    const inside = points.filter(
      (point) =>
        (prefix === undefined || compare(point, prefix, columns.slice(0, prefixLength)) === 0) &&
        (from === undefined || compare(point, from, rest) >= 0) &&
        (to === undefined || compare(point, to, rest) < 0),
    )
    inside.sort((left, right) => compare(left, right, columns))
    if (bound.reverse) inside.reverse()
    return inside.slice(0, bound.limit)
  }
  return { options, select }
}

async function apply(db: Catalog, model: Map<string, Point>, changes: readonly Change[]): Promise<void> {
  await db.transaction(async (tx) => {
    for (const step of changes) {
      if (step.kind === 'delete') {
        await tx.delete('points', { x: step.x, y: step.y })
        continue
      }
      const { x, y, tag } = step.point
      const { updated } = await tx.update('points', { x, y }, { tag })
      if (updated === 0) await tx.insert('points', { ...step.point })
    }
  })
  note(model, changes)
}

function note(model: Map<string, Point>, changes: readonly Change[]): void {
  for (const step of changes) {
    if (step.kind === 'delete') model.delete(`${step.x} ${step.y}`)
    else model.set(`${step.point.x} ${step.point.y}`, step.point)
  }
}

void t.test(
  'every scan gives what its bounds say, on the newest state, on an old snapshot, and over own writes',
  async (t) => {
    const { db } = await openOnDisk(t)
    await db.execute([{ createTable: { table: POINTS } }])
    const model = new Map<string, Point>()
    const changes = fc.array(change, { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(
        changes,
        changes,
        changes,
        fc.array(bounds, { minLength: 3, maxLength: 6 }),
        async (a, b, own, all) => {
          await apply(db, model, a)
          const before = [...model.values()]
          const scans = all.map((bound) => ({ ...plan(bound), before: db.scan('points', plan(bound).options) }))
          // The first page is asked for before the next commits, and read after them.
          const onSnapshot = scans.map((scan) => collect(scan.before))
          const reader = db.begin()
          const writer = db.begin()
          await apply(db, model, b)
          const after = [...model.values()]
          for (const [ordinal, { options, select }] of scans.entries()) {
            t.same(await onSnapshot[ordinal], select(before))
            t.same(await collect(reader.scan('points', options)), select(before))
            t.same(await collect(db.scan('points', options)), select(after))
          }
          reader.rollback()
          const ownModel = new Map(before.map((point) => [`${point.x} ${point.y}`, point]))
          for (const step of own) {
            if (step.kind === 'delete') await writer.delete('points', { x: step.x, y: step.y })
            else {
              await writer.delete('points', { x: step.point.x, y: step.point.y })
              await writer.insert('points', { ...step.point })
            }
          }
          note(ownModel, own)
          for (const { options, select } of scans) {
            t.same(await collect(writer.scan('points', options)), select([...ownModel.values()]))
          }
          writer.rollback()
        },
      ),
      { numRuns: 40 },
    )
  },
)

void t.test(
  'a scan over many pages keeps its LSN while rows are put, moved and deleted before and behind it',
  async (t) => {
    const { db } = await openOnDisk(t)
    await db.execute([{ createTable: { table: POINTS } }])
    const rows = Array.from({ length: 5000 }, (_, ordinal) => ({ x: ordinal * 2, y: 0, tag: 'a' }))
    await db.execute([{ insert: { table: 'points', rows } }])
    for (const options of [{}, { reverse: true }, { index: 'tag' }, { index: 'unique', reverse: true }]) {
      const expected = await collect(db.scan('points', options))
      const seen: unknown[] = []
      let turn = 0
      for await (const row of db.scan('points', options)) {
        seen.push(row)
        if (seen.length % 500 !== 1) continue
        const x = (++turn * 997) % 9990
        const even = x - (x % 2)
        await db.execute([
          { delete: { table: 'points', key: { x: even, y: 0 } } },
          {
            insert: {
              table: 'points',
              rows: [
                { x: even, y: 0, tag: 'b' },
                { x: even + 1, y: turn, tag: 'a' },
              ],
            },
          },
          { update: { table: 'points', key: { x: 0, y: 0 }, set: { tag: `${turn % 10}` } } },
        ])
        await db.execute([{ delete: { table: 'points', key: { x: even + 1, y: turn } } }])
      }
      t.same(seen, expected)
    }
  },
)

void t.test('bounds that make no range are refused', async (t) => {
  const { db } = await openOnDisk(t)
  await db.execute([{ createTable: { table: POINTS } }])
  const refused: [ScanOptions, string][] = [
    [{ prefix: { y: 1 } }, 'INVALID_ARGUMENT'],
    [{ prefix: { x: 1 }, from: { x: 1 } }, 'INVALID_ARGUMENT'],
    [{ prefix: { x: 1, y: 1 }, from: { tag: 'a' } }, 'INVALID_ARGUMENT'],
    [{ from: { tag: 'a' } }, 'INVALID_ARGUMENT'],
    [{ prefix: {} }, 'INVALID_ARGUMENT'],
    [{ prefix: { z: 1 } }, 'NOT_FOUND'],
    [{ index: 'nope' }, 'NOT_FOUND'],
    [{ prefix: { x: 'one' } }, 'INVALID_VALUE'],
    [{ limit: -1 }, 'INVALID_ARGUMENT'],
    [{ limit: 1.5 }, 'INVALID_ARGUMENT'],
    [{ limit: NaN }, 'INVALID_ARGUMENT'],
  ]
  for (const [options, code] of refused) {
    t.equal(await outcomeOf(collect(db.scan('points', options))), code, JSON.stringify(options))
  }
  t.same(await collect(db.scan('points', { from: { x: 3 }, to: { x: 1 } })), [], 'an empty range is one')
})
