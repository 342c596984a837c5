/** Quotas count exactly, refuse at the number and not before, take nothing when they refuse, and remember nothing idle. */
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { type LimitOptions, resolveLimits } from '../../primary/limit-options.js'
import { LIMITS, type LimitName, limitNames } from '../../primary/limit-table.js'
import { type CountedLimit, Holding, Quotas } from '../../primary/quotas.js'
import { ManualClock } from './manual-clock.js'

const COUNTED: readonly CountedLimit[] = [
  'connections',
  'sessions',
  'openTransactions',
  'cursors',
  'stagedBytes',
  'requests',
  'requestBytes',
]

function quotasOf(limits: LimitOptions, clock = new ManualClock()): Quotas {
  return new Quotas(resolveLimits(limits), clock)
}

/** The details of the LIMIT that it throws; undefined when it does not. */
function refusalOf(work: () => void): Readonly<Record<string, unknown>> | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (isReplogError(error, 'LIMIT')) return error.details
    throw error
  }
}

void t.test('what is in use never passes a limit, and a refusal takes nothing', async () => {
  const step = fc.record({
    what: fc.constantFrom(...COUNTED),
    catalog: fc.constantFrom('a', 'b', undefined),
    amount: fc.integer({ min: 1, max: 4 }),
    gives: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), (steps, most) => {
      const server = Object.fromEntries(COUNTED.map((name) => [name, most]))
      const catalog = Object.fromEntries(COUNTED.map((name) => [name, Math.ceil(most / 2)]))
      const quotas = quotasOf({ server, catalog })
      const taken: { what: CountedLimit; catalog: string | undefined; amount: number }[] = []
      const inUse = (what: CountedLimit, of?: string): number =>
        taken
          .filter((one) => one.what === what && (of === undefined || one.catalog === of))
          .reduce((sum, one) => sum + one.amount, 0)
      for (const { what, catalog: of, amount, gives } of steps) {
        const at = taken.findIndex((one) => one.what === what && one.catalog === of)
        if (gives && at >= 0) {
          const [given] = taken.splice(at, 1)
          quotas.give(what, of, given!.amount)
        } else {
          const fitsServer = inUse(what) + amount <= most
          const fitsCatalog = of === undefined || inUse(what, of) + amount <= Math.ceil(most / 2)
          const details = refusalOf(() => {
            quotas.take(what, of, amount)
          })
          if ((details === undefined) !== (fitsServer && fitsCatalog)) throw new Error('refused when it had room')
          if (details === undefined) taken.push({ what, catalog: of, amount })
          else if (details['scope'] !== (fitsServer ? 'catalog' : 'server')) throw new Error('the wrong scope')
        }
        for (const name of COUNTED) if (quotas.inUse(name) !== inUse(name)) throw new Error('it counts wrong')
      }
      for (const { what, catalog: of, amount } of taken) quotas.give(what, of, amount)
      return quotas.rememberedCatalogs === 0 && COUNTED.every((name) => quotas.inUse(name) === 0)
    }),
  )
})

void t.test('a refusal says which limit of whom, and what to do', async (t) => {
  const quotas = quotasOf({ server: { sessions: 2 }, catalog: { sessions: 1 } })
  quotas.take('sessions', 'a')
  const catalog = { limit: 'sessions', value: 1, scope: 'catalog', catalog: 'a' }
  t.throws(
    () => {
      quotas.take('sessions', 'a')
    },
    { code: 'LIMIT', message: 'catalog "a" has its 1 sessions open; retry after a pause', details: catalog },
  )
  quotas.take('sessions', 'b')
  t.same(
    refusalOf(() => {
      quotas.take('sessions', 'c')
    }),
    { limit: 'sessions', value: 2, scope: 'server' },
  )
  t.equal(quotas.refused, 2)
})

void t.test('a holding that cannot grow stays as it was, and what is released is free', async (t) => {
  const quotas = quotasOf({ server: { stagedBytes: 100 } })
  const [one, other] = [new Holding(quotas, 'stagedBytes', 'a'), new Holding(quotas, 'stagedBytes', 'b')]
  one.resize(60)
  other.resize(40)
  t.match(
    refusalOf(() => {
      other.resize(41)
    }),
    { limit: 'stagedBytes' },
  )
  t.equal(other.held, 40)
  one.resize(10)
  other.resize(90)
  one.release()
  one.release()
  t.equal(quotas.inUse('stagedBytes'), 90)
})

void t.test(
  'in any stretch of time no more pass than the rate and one burst, and who waits as told gets in',
  async () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 80 })
    await fc.assert(
      fc.asyncProperty(gaps, fc.integer({ min: 1, max: 20 }), async (waits, perSecond) => {
        const clock = new ManualClock()
        const quotas = quotasOf({ catalog: { requestsPerSecond: perSecond } }, clock)
        const passed: number[] = []
        for (const waitMs of waits) {
          await clock.advance(waitMs)
          const details = refusalOf(() => {
            quotas.admitRequest('a')
          })
          if (details === undefined) {
            passed.push(clock.monotonicMs())
            continue
          }
          if (details['limit'] !== 'requestsPerSecond') throw new Error('the wrong limit')
          await clock.advance(Number(details['retryAfterMs']))
          quotas.admitRequest('a')
          passed.push(clock.monotonicMs())
        }
        return passed.every((endMs, end) =>
          passed.slice(0, end + 1).every((startMs, start) => {
            const count = end - start + 1
            return count <= perSecond + ((endMs - startMs) * perSecond) / 1000 + 1e-6
          }),
        )
      }),
      { numRuns: 40 },
    )
  },
)

void t.test('the rate of the server is for all catalogs; one at its limit takes nothing from the others', async (t) => {
  const clock = new ManualClock()
  const quotas = quotasOf({ server: { requestsPerSecond: 3 }, catalog: { requestsPerSecond: 1 } }, clock)
  quotas.admitRequest('a')
  const limited = (catalog: string | undefined): unknown =>
    refusalOf(() => {
      quotas.admitRequest(catalog)
    })?.['scope']
  for (let tries = 0; tries < 10; tries++) t.equal(limited('a'), 'catalog')
  quotas.admitRequest('b')
  quotas.admitRequest(undefined)
  t.equal(limited('c'), 'server')
  await clock.advance(1000)
  quotas.admitRequest('a')
})

void t.test('catalogs that nobody asks for any more are forgotten, whatever their names', async (t) => {
  const quotas = quotasOf({ catalog: { requestsPerSecond: 1 } })
  for (let name = 0; name < 100_500; name++) quotas.admitRequest(`catalog ${name}`)
  t.equal(quotas.rememberedCatalogs, 100_000)
  t.match(
    refusalOf(() => {
      quotas.admitRequest('catalog 100499')
    }),
    { catalog: 'catalog 100499' },
    'the newest is remembered',
  )
})

void t.test(
  'options are checked, completed and frozen once; what is unknown is answered with the nearest',
  async (t) => {
    const limits = resolveLimits({ catalog: { tables: 3 }, server: { sessions: Infinity } })
    t.equal(limits.catalog.tables, 3)
    t.equal(limits.server.sessions, Infinity)
    t.equal(limits.server.transactionBytes, LIMITS.transactionBytes.defaults.server)
    t.ok(Object.isFrozen(limits) && Object.isFrozen(limits.server) && Object.isFrozen(limits.catalog))
    t.same(Object.keys(limits.server).sort(), limitNames('server').sort())
    t.same(Object.keys(limits.catalog).sort(), limitNames('catalog').sort())

    const wrong: readonly [unknown, RegExp][] = [
      [{ server: { sesions: 1 } }, /no limit "sesions" of a server; did you mean "sessions"\?/],
      [{ server: { tables: 1 } }, /no limit "tables" of a server/],
      [{ catalog: { undoBytes: 1 } }, /undoBytes is a limit of the server only/],
      [{ catalogue: {} }, /limits\.catalogue is no scope; did you mean "catalog"\?/],
      [{ server: { sessions: 0 } }, /limit sessions is a whole number of sessions from 1 up/],
      [{ server: { sessions: 1.5 } }, /whole number/],
      [{ server: { sessions: '7' } }, /whole number/],
      [{ server: { transactionRows: 1_000_001 } }, /from 1 to 1000000/],
      [{ server: { transactionRows: Infinity } }, /from 1 to 1000000/],
      [{ server: null }, /`limits\.server` is an object/],
      [7, /`limits` is an object/],
    ]
    for (const [options, message] of wrong) {
      t.throws(() => resolveLimits(options as LimitOptions), { code: 'INVALID_ARGUMENT', message })
    }
    t.equal(resolveLimits({ catalog: { transactionRows: Infinity } }).catalog.transactionRows, Infinity)
  },
)

void t.test('of a server and a catalog the lower limit holds, and is named', async (t) => {
  const quotas = quotasOf({ server: { transactionRows: 10 }, catalog: { transactionRows: 5, bodyBytes: 7 } })
  t.same(quotas.bound('transactionRows'), { name: 'transactionRows', value: 5, scope: 'catalog' })
  t.same(quotas.bound('bodyBytes'), { name: 'bodyBytes', value: 7, scope: 'catalog' })
  t.match(quotas.bound('transactionBytes'), { scope: 'server' })
})

void t.test('every limit has a default in each of its scopes that its own rule allows', async (t) => {
  for (const scope of ['server', 'catalog'] as const) {
    for (const name of limitNames(scope)) {
      const entry: { readonly most: number; readonly defaults: Readonly<Record<string, number>> } = LIMITS[name]
      const value = entry.defaults[scope]!
      t.ok(value <= entry.most || (scope === 'catalog' && value === Infinity), `${scope} ${name satisfies LimitName}`)
    }
  }
})
