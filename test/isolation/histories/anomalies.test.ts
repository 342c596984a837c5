/** The checker of histories itself: it names every kind of bad history, passes good ones, and catches a faulty store. */
import fc from 'fast-check'
import t from 'tap'
import { Random, TEST_SEED } from '../random.js'
import { anomaliesIn, forbiddenAt } from './anomalies.js'
import { type Behaviour, FaultyStore } from './faulty-store.js'
import type { Observation, Recorded } from './observation.js'

const append = (list: string, value: number): Observation => ({ type: 'append', list, value })
const list = (name: string, ...values: number[]): Observation => ({ type: 'list', list: name, values })
const write = (register: string, value: number): Observation => ({ type: 'write', register, value })
const register = (name: string, value: number | null): Observation => ({ type: 'register', register: name, value })
const insert = (set: string, element: number): Observation => ({ type: 'insert', set, element })
const range = (set: string, from: number, to: number, ...elements: number[]): Observation => ({
  type: 'members',
  set,
  from,
  to,
  elements,
})
const all = (set: string, ...elements: number[]): Observation => range(set, 0, 100, ...elements)
const has = (set: string, element: number): Observation => range(set, element, element + 1, element)
const lacks = (set: string, element: number): Observation => range(set, element, element + 1)
const add: Observation = { type: 'add', counter: 'n' }
const count = (value: number): Observation => ({ type: 'count', counter: 'n', value })
const total = (value: number): Observation => ({ type: 'total', of: 'accounts', value, expected: 100 })

/** All of these ran at the same time. */
function concurrent(...transactions: Observation[][]): Recorded[] {
  return transactions.map((events, at) => ({
    id: `T${at + 1}`,
    events,
    outcome: 'committed',
    began: at,
    ended: 1000 + at,
  }))
}

/** Each ended before the next one began. */
function serial(...transactions: Observation[][]): Recorded[] {
  return concurrent(...transactions).map((one, at) => ({ ...one, began: at * 2, ended: at * 2 + 1 }))
}

function with1st(outcome: Recorded['outcome'], [first, ...others]: Recorded[]): Recorded[] {
  return [{ ...first!, outcome }, ...others]
}

interface Bad {
  readonly history: Recorded[]
  /** The first anomaly, "name: text". */
  readonly says: RegExp
  /** Snapshot isolation allows it. */
  readonly isSkew?: true
}

const BAD: Readonly<Record<string, Bad>> = {
  'dirty write': {
    history: concurrent(
      [append('x', 1), append('y', 1)],
      [append('x', 2), append('y', 2)],
      [list('x', 1, 2), list('y', 2, 1)],
    ),
    says: /^G0: T\d -ww list .=\d-> T\d -ww list .=\d-> T\d$/,
  },
  'aborted read of a list': {
    history: with1st('aborted', concurrent([append('x', 1)], [list('x', 1)])),
    says: /^G1a: T2 read list x=1 of T1, which was rolled back/,
  },
  'aborted read of a register': {
    history: with1st('aborted', concurrent([write('a', 1)], [register('a', 1)])),
    says: /^G1a: T2 read register a=1 of T1/,
  },
  'aborted read of a range': {
    history: with1st('aborted', concurrent([insert('s', 1)], [all('s', 1)])),
    says: /^G1a: T2 read set s=1 of T1/,
  },
  'read of what nobody wrote': {
    history: concurrent([register('a', 9)]),
    says: /^G1a: T1 read register a=9, which nobody wrote/,
  },
  'half of the appends of a transaction': {
    history: concurrent([append('x', 1), append('x', 2)], [list('x', 1)]),
    says: /^G1b: T2 read list x=1 of T1 without its list x=2/,
  },
  'intermediate value of a register': {
    history: concurrent([write('a', 1), write('a', 2)], [register('a', 1)]),
    says: /^G1b: T2 read register a=1 of T1 without its register a=2/,
  },
  'half of the inserts of a transaction': {
    history: concurrent([insert('s', 1), insert('s', 2), insert('s', 200)], [all('s', 2)]),
    says: /^G1b: T2 read set s=2 of T1 without its set s=1/,
  },
  'circular information flow': {
    history: concurrent([append('x', 1), list('y', 2)], [append('y', 2), list('x', 1)]),
    says: /^G1c: T. -wr list .=.-> T. -wr list .=.-> T.$/,
  },
  'circular information flow of registers': {
    history: concurrent([write('a', 1), register('b', 2)], [write('b', 2), register('a', 1)]),
    says: /^G1c: /,
  },
  'lost update of a list': {
    history: concurrent([list('x'), append('x', 1)], [list('x'), append('x', 2)], [list('x', 1, 2)]),
    says: /^lost update: T1 and T2 both read list x of 0/,
  },
  'lost update of a register': {
    history: concurrent([register('a', null), write('a', 1)], [register('a', null), write('a', 2)]),
    says: /^lost update: T1 and T2 both read register a at first/,
  },
  'lost update of a later version': {
    history: concurrent(
      [register('a', null), write('a', 1)],
      [register('a', 1), write('a', 2)],
      [register('a', 1), write('a', 3)],
    ),
    says: /^lost update: T2 and T3 both read register a at 1/,
  },
  'an append that vanished': {
    history: concurrent([append('x', 1)], [append('x', 2)], [list('x', 1)], [list('x', 2)]),
    says: /^unordered: T4 read list x as \[2\], T3 as \[1\]/,
  },
  'an append that nobody saw after it was acknowledged': {
    history: serial([append('x', 1)], [append('x', 2)], [list('x', 1)]),
    says: /^G-single-realtime: T3 -rw list x=2-> T2 -ended before-> T3$|^G-single-realtime: T2 -ended before-> T3 /,
  },
  'a write that nobody saw after it was acknowledged': {
    history: serial([register('a', null), write('a', 1)], [register('a', null)]),
    says: /^G-single-realtime: /,
  },
  'an append done twice': {
    history: concurrent([append('x', 1)], [list('x', 1, 1)]),
    says: /^unordered: T2 read a value twice/,
  },
  'read skew of lists': {
    history: concurrent([append('x', 1), append('y', 1)], [list('x'), list('y', 1)], [list('x', 1)]),
    says: /^G-single: /,
  },
  'read skew of registers': {
    history: concurrent(
      [register('a', null), write('a', 1), register('b', null), write('b', 1)],
      [register('a', null), register('b', 1)],
    ),
    says: /^G-single: T\d -(rw register a=1|wr register b=1)-> T\d -(rw register a=1|wr register b=1)-> T\d$/,
  },
  'read skew of a range and a list': {
    history: concurrent([insert('s', 1), append('x', 1)], [all('s'), list('x', 1)]),
    says: /^G-single: T\d -(prw set s=1|wr list x=1)-> T\d /,
  },
  'long fork': {
    history: concurrent([append('x', 1)], [append('y', 2)], [list('x', 1), list('y')], [list('x'), list('y', 2)]),
    says: /^G-nonadjacent: /,
  },
  'long fork of ranges': {
    history: concurrent([insert('s', 1)], [insert('s', 2)], [all('s', 1)], [all('s', 2)]),
    says: /^G-nonadjacent: /,
  },
  'write skew of lists': {
    history: concurrent(
      [list('x'), list('y'), append('x', 1)],
      [list('x'), list('y'), append('y', 2)],
      [list('x', 1), list('y', 2)],
    ),
    says: /^G2-item: T\d -rw list .=.-> T\d -rw list .=.-> T\d$/,
    isSkew: true,
  },
  'write skew of registers': {
    history: concurrent(
      [register('a', null), register('b', null), write('a', 1)],
      [register('a', null), register('b', null), write('b', 2)],
    ),
    says: /^G2-item: /,
    isSkew: true,
  },
  'write skew of point reads of a set': {
    history: concurrent([lacks('s', 1), insert('s', 2)], [lacks('s', 2), insert('s', 1)]),
    says: /^G2-item: /,
    isSkew: true,
  },
  'write skew with phantoms': {
    history: concurrent([all('s'), insert('r', 1)], [all('r'), insert('s', 2)]),
    says: /^G2: T\d -prw set .=.-> T\d -prw set .=.-> T\d$/,
    isSkew: true,
  },
  'phantoms in one range': {
    history: concurrent([range('s', 0, 10), insert('s', 1)], [range('s', 0, 10), insert('s', 2)]),
    says: /^G2: /,
    isSkew: true,
  },
  'a reader between two writers (Fekete, O’Neil, O’Neil 2004)': {
    history: concurrent(
      // T3 saw what T2 wrote and not what T1 did, which did not see what T2 wrote.
      [register('x', null), register('y', null), write('y', 1)],
      [register('x', null), write('x', 2)],
      [register('x', 2), register('y', null)],
    ),
    says: /^G2-item: T\d -(rw|wr) [^>]*-> T\d -(rw|wr) [^>]*-> T\d -(rw|wr) [^>]*-> T\d$/,
    isSkew: true,
  },
  'stale read of a list': {
    history: serial([append('x', 1)], [list('x')], [list('x', 1)]),
    says: /^G-single-realtime: .*ended before/,
  },
  'stale read of a range': { history: serial([insert('s', 1)], [all('s')]), says: /^G-single-realtime: / },
  'stale point read': { history: serial([insert('s', 1)], [lacks('s', 1)]), says: /^G-single-realtime: / },
  'reads that go back in time': {
    history: [
      ...with1st('unknown', concurrent([append('x', 1)])),
      ...serial([list('x', 1)], [list('x')]).map((one, at) => ({ ...one, id: `T${at + 2}` })),
    ],
    says: /^G-single-realtime: /,
  },
  'a write that was read before it began': {
    history: serial([list('x', 1)], [append('x', 1)]),
    says: /^G1c-realtime: /,
  },
  'own append unseen': { history: concurrent([append('x', 1), list('x')]), says: /^internal: T1 read list x/ },
  'own write unseen': {
    history: concurrent([write('a', 1), register('a', null)]),
    says: /^internal: T1 read register a/,
  },
  'own insert unseen': { history: concurrent([insert('s', 1), all('s')]), says: /^internal: T1 read set s/ },
  'two reads of a list that differ': {
    history: concurrent([list('x'), list('x', 1)], [append('x', 1)]),
    says: /^internal: T1/,
  },
  'two reads of a register that differ': {
    history: concurrent([register('a', null), register('a', 1)], [write('a', 1)]),
    says: /^internal: T1/,
  },
  'two reads of a range that differ': {
    history: concurrent([range('s', 0, 10), all('s', 1)], [insert('s', 1)]),
    says: /^internal: T1/,
  },
  'a point read that differs from a range': {
    history: concurrent([all('s', 1), lacks('s', 1)], [insert('s', 1)]),
    says: /^internal: T1/,
  },
  'a wrong total': { history: concurrent([total(100)], [total(99)]), says: /^total: T2 found a total of 99/ },
  'an addition that was lost': { history: serial([add], [add], [count(1)]), says: /^count: T3 .* as 1; 2 to 2/ },
  'an addition that was made twice': { history: serial([add], [count(2)]), says: /^count: T2 .* as 2; 1 to 1/ },
  'an addition that was rolled back and counts': {
    history: with1st('aborted', serial([add], [count(1)])),
    says: /^count: T2/,
  },
}

for (const [name, { history, says, isSkew }] of Object.entries(BAD)) {
  void t.test(`it names a history with ${name}`, (t) => {
    const anomalies = anomaliesIn(history)
    const [first] = anomalies
    t.match(first === undefined ? 'nothing found' : `${first.name}: ${first.text}`, says)
    t.same(forbiddenAt('serializable', anomalies), anomalies)
    t.equal(forbiddenAt('snapshot', anomalies).length === 0, isSkew === true, 'whether snapshot isolation allows it')
    t.end()
  })
}

void t.test('it passes what is serializable though it looks odd', (t) => {
  const fine = [
    concurrent([list('x'), append('y', 1)], [append('x', 2)], [list('x', 2), list('y', 1)]),
    concurrent([all('s'), insert('s', 1), all('s', 1)], [all('s', 1), insert('s', 2)]),
    concurrent([register('a', null), write('a', 1), register('a', 1), write('a', 2)], [register('a', 2)]),
    concurrent([write('a', 1)], [write('a', 2)], [register('a', 1)], [register('a', 2)]),
    with1st('aborted', concurrent([append('x', 1)], [list('x')])),
    serial([append('x', 1)], [list('x', 1), append('x', 2), list('x', 1, 2)]),
    concurrent([append('x', 1), append('x', 2), list('x', 1, 2)], [list('x')]),
    concurrent([range('s', 0, 5), insert('s', 7)], [range('s', 5, 9), insert('s', 12)], [has('s', 12), lacks('s', 3)]),
    // Of unknown outcome: it happened, or it did not.
    with1st('unknown', concurrent([append('x', 1)], [list('x', 1)])),
    with1st('unknown', serial([append('x', 1)], [list('x')])),
    with1st('unknown', serial([insert('s', 1)], [all('s')], [all('s', 1)])),
    with1st('unknown', serial([add], [count(0)])),
    with1st('unknown', serial([add], [count(1)])),
    with1st('unknown', concurrent([register('a', null), write('a', 1)], [register('a', null), write('a', 2)])),
    concurrent([add, count(1)], [add, add, count(2)], [count(3)]),
    serial([total(100)], [total(100)]),
  ]
  for (const [at, history] of fine.entries()) t.same(anomaliesIn(history), [], `history ${at}`)
  t.end()
})

void t.test('the cycle that it prints is a shortest one', (t) => {
  // A ring of six that write skew closes, with a chord that makes one of three.
  const ring = Array.from({ length: 6 }, (_, at): Observation[] => [
    register(`r${at}`, null),
    register(`r${(at + 1) % 6}`, null),
    write(`r${at}`, at + 1),
  ])
  ring[2]!.unshift(register('r0', null))
  const [anomaly] = anomaliesIn(concurrent(...ring))
  t.equal(anomaly?.name, 'G2-item')
  t.equal(anomaly?.text.match(/->/g)?.length, 3)
  t.end()
})

/** Runs random transactions one at a time on real lists, registers and sets. */
const serialHistory = fc
  .array(
    fc.array(
      fc.tuple(
        fc.constantFrom('append', 'list', 'write', 'register', 'insert', 'members'),
        fc.constantFrom('a', 'b', 'c'),
        fc.nat(20),
      ),
      { maxLength: 5 },
    ),
    { maxLength: 30 },
  )
  .map((plans) => {
    const lists = new Map<string, number[]>()
    const registers = new Map<string, number>()
    let value = 0
    return serial(
      ...plans.map((plan) =>
        plan.map(([type, name, from]): Observation => {
          const key = type === 'append' || type === 'list' ? `list ${name}` : `set ${name}`
          const values = lists.get(key) ?? []
          lists.set(key, values)
          if (type === 'list') return list(name, ...values)
          if (type === 'members') return range(name, from, 1000, ...values.filter((one) => one >= from))
          if (type === 'register') return register(name, registers.get(name) ?? null)
          value++
          if (type === 'write') registers.set(name, value)
          else values.push(value)
          return type === 'write' ? write(name, value) : type === 'append' ? append(name, value) : insert(name, value)
        }),
      ),
    )
  })

void t.test('it passes every serial history', (t) => {
  fc.assert(
    fc.property(serialHistory, (history) => {
      const anomalies = anomaliesIn(history)
      if (anomalies.length > 0) throw new Error(anomalies.map(({ name, text }) => `${name}: ${text}`).join('\n'))
    }),
    { numRuns: 200 },
  )
  t.end()
})

const RUNS = 40
const TRANSACTIONS = 60

/** The anomalies of so many runs of a store, by name, with how many runs had them. */
function runsOf(behaviour: Behaviour, level: 'serializable' | 'snapshot'): Map<string, number> {
  const names = new Map<string, number>()
  for (let run = 0; run < RUNS; run++) {
    const history = new FaultyStore(behaviour, new Random(TEST_SEED + run)).run(TRANSACTIONS)
    const found = new Set(forbiddenAt(level, anomaliesIn(history)).map(({ name }) => name))
    for (const name of found) names.set(name, (names.get(name) ?? 0) + 1)
  }
  return names
}

void t.test(`a right store is passed at its level, seed ${TEST_SEED}`, (t) => {
  t.same([...runsOf('serializable', 'serializable')], [])
  t.same([...runsOf('snapshot', 'snapshot')], [])
  const skews = runsOf('snapshot', 'serializable')
  t.ok((skews.get('G2') ?? 0) > RUNS / 4, `and what it allows is found: ${JSON.stringify([...skews])}`)
  t.ok([...skews.keys()].every((name) => name.startsWith('G2')))
  t.end()
})

const FAULTS: Readonly<Record<Exclude<Behaviour, 'serializable' | 'snapshot'>, readonly string[]>> = {
  'ranges are not validated': ['G2'],
  'writes are not validated': ['lost update', 'unordered'],
  'reads see what is committed meanwhile': ['internal', 'G-single'],
  'reads see what is not committed': ['G1a', 'G1b', 'internal'],
  'a snapshot may be old': ['G-single-realtime'],
  'a commit may be lost': ['G1a', 'G-single-realtime', 'lost update', 'count'],
  'half of a commit may be lost': ['G1b', 'G-single', 'G-single-realtime'],
  'an aborted transaction may be kept': ['G1a'],
  'own writes are not read': ['internal'],
  'a commit may be done twice': ['unordered'],
}

for (const [behaviour, expected] of Object.entries(FAULTS) as [keyof typeof FAULTS, readonly string[]][]) {
  void t.test(`a store is caught in which ${behaviour}, seed ${TEST_SEED}`, (t) => {
    const level = behaviour === 'ranges are not validated' ? 'serializable' : 'snapshot'
    const names = runsOf(behaviour, level)
    const hits = expected.map((name) => names.get(name) ?? 0)
    t.ok(Math.max(...hits) > RUNS / 4, `${expected.join(' or ')} in ${JSON.stringify([...names])} of ${RUNS} runs`)
    t.end()
  })
}
