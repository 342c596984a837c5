/** The checker of histories itself: it names each anomaly, and passes every serial history. */
import fc from 'fast-check'
import t from 'tap'
import { anomaliesIn } from './anomalies.js'
import type { HistoryEvent, RecordedTransaction } from './history.js'

const append = (key: string, value: number): HistoryEvent => ({ type: 'append', key, value })
const read = (key: string, ...values: number[]): HistoryEvent => ({ type: 'read', key, values })
const insert = (set: string, element: number): HistoryEvent => ({ type: 'insert', set, element })
const scan = (set: string, ...elements: number[]): HistoryEvent => ({ type: 'scan', set, elements })

/** All of these ran at the same time. */
function concurrent(...all: HistoryEvent[][]): RecordedTransaction[] {
  return all.map((events, ordinal) => ({
    id: `T${ordinal + 1}`,
    events,
    outcome: 'committed',
    began: ordinal,
    ended: 1000 + ordinal,
  }))
}

/** Each ended before the next one began. */
function serial(...all: HistoryEvent[][]): RecordedTransaction[] {
  return concurrent(...all).map((transaction, ordinal) => ({
    ...transaction,
    began: ordinal * 2,
    ended: ordinal * 2 + 1,
  }))
}

function aborted(history: RecordedTransaction[], ordinal: number): RecordedTransaction[] {
  return history.map((transaction, at) => (at === ordinal ? { ...transaction, outcome: 'aborted' } : transaction))
}

const BAD: Record<string, { history: RecordedTransaction[]; anomaly: RegExp }> = {
  'dirty write': {
    history: concurrent(
      [append('x', 1), append('y', 1)],
      [append('x', 2), append('y', 2)],
      [read('x', 1, 2), read('y', 2, 1)],
    ),
    anomaly: /^G0: T\d -ww .*-> T\d -ww /,
  },
  'aborted read': {
    history: aborted(concurrent([append('x', 1)], [read('x', 1)]), 0),
    anomaly: /^G1a: T2 read x=1 of T1/,
  },
  'read of nothing that was written': {
    history: concurrent([read('x', 9)]),
    anomaly: /^G1a: T1 read x=9, which nobody/,
  },
  'intermediate read': {
    history: concurrent([append('x', 1), append('x', 2)], [read('x', 1)]),
    anomaly: /^G1b: T2 read x=1 of T1 without its x=2/,
  },
  'half of a set': {
    history: concurrent([insert('s', 1), insert('s', 2)], [scan('s', 2)]),
    anomaly: /^G1b: T2 read s=2 of T1 without its s=1/,
  },
  'circular information flow': {
    history: concurrent([append('x', 1), read('y', 2)], [append('y', 2), read('x', 1)]),
    anomaly: /^G1c: /,
  },
  'lost update, told by the order': {
    history: concurrent([read('x'), append('x', 1)], [read('x'), append('x', 2)], [read('x', 1, 2)]),
    anomaly: /^G-single: /,
  },
  'a write that vanished': {
    history: concurrent([append('x', 1)], [append('x', 2)], [read('x', 1)], [read('x', 2)]),
    anomaly: /^unordered: /,
  },
  'a value twice': {
    history: concurrent([append('x', 1)], [read('x', 1, 1)]),
    anomaly: /^unordered: T2 read a value of x twice/,
  },
  'read skew': {
    history: concurrent([append('x', 1), append('y', 1)], [read('x'), read('y', 1)], [read('x', 1)]),
    anomaly: /^G-single: /,
  },
  'write skew': {
    history: concurrent(
      [read('x'), read('y'), append('x', 1)],
      [read('x'), read('y'), append('y', 2)],
      [read('x', 1), read('y', 2)],
    ),
    anomaly: /^G2: T1 -rw y=2-> T2 -rw x=1-> T1$/,
  },
  'write skew with phantoms': {
    history: concurrent([scan('s'), insert('r', 1)], [scan('r'), insert('s', 2)]),
    anomaly: /^G2: /,
  },
  'phantom skew in one range': {
    history: concurrent([scan('s'), insert('s', 1)], [scan('s'), insert('s', 2)]),
    anomaly: /^G2: T1 -rw s=2-> T2 -rw s=1-> T1$/,
  },
  'long fork': {
    history: concurrent([append('x', 1)], [append('y', 2)], [read('x', 1), read('y')], [read('x'), read('y', 2)]),
    anomaly: /^G2: /,
  },
  'stale read': { history: serial([append('x', 1)], [read('x')], [read('x', 1)]), anomaly: /^realtime: .*T1/ },
  'stale scan': { history: serial([insert('s', 1)], [scan('s')]), anomaly: /^realtime: / },
  'own write unseen': { history: concurrent([append('x', 1), read('x')]), anomaly: /^internal: T1/ },
  'own insert unseen': { history: concurrent([insert('s', 1), scan('s')]), anomaly: /^internal: T1/ },
  'two reads differ': { history: concurrent([read('x'), read('x', 1)], [append('x', 1)]), anomaly: /^internal: T1/ },
  'two scans differ': { history: concurrent([scan('s', 1), scan('s')], [insert('s', 1)]), anomaly: /^internal: T1/ },
}

for (const [name, { history, anomaly }] of Object.entries(BAD)) {
  void t.test(`it names a history with ${name}`, (t) => {
    t.match(anomaliesIn(history)[0] ?? 'nothing found', anomaly)
    t.end()
  })
}

void t.test('it passes what is serializable though it looks odd', (t) => {
  const fine = [
    concurrent([read('x'), append('y', 1)], [append('x', 2)], [read('x', 2), read('y', 1)]),
    concurrent([scan('s'), insert('s', 1), scan('s', 1)], [scan('s', 1), insert('s', 2)]),
    aborted(concurrent([append('x', 1)], [read('x')]), 0),
    serial([append('x', 1)], [read('x', 1), append('x', 2), read('x', 1, 2)]),
    concurrent([append('x', 1), append('x', 2), read('x', 1, 2)], [read('x')]),
  ]
  for (const history of fine) t.same(anomaliesIn(history), [])
  const unknown = concurrent([append('x', 1)], [read('x', 1)]).map((transaction, at): RecordedTransaction =>
    at === 0 ? { ...transaction, outcome: 'unknown', ended: 5000 } : transaction,
  )
  t.same(anomaliesIn(unknown), [])
  t.end()
})

/** Runs random transactions one at a time on real lists and sets. */
const serialHistory = fc
  .array(
    fc.array(fc.tuple(fc.constantFrom('append', 'read', 'insert', 'scan'), fc.constantFrom('a', 'b', 'c')), {
      maxLength: 5,
    }),
    {
      maxLength: 30,
    },
  )
  .map((plans) => {
    const lists = new Map<string, number[]>()
    let value = 0
    const all = plans.map((plan) =>
      plan.map(([type, name]): HistoryEvent => {
        const key = type === 'append' || type === 'read' ? name : `set ${name}`
        const list = lists.get(key) ?? []
        lists.set(key, list)
        if (type === 'read') return read(key, ...list)
        if (type === 'scan') return scan(key, ...list.toReversed())
        list.push(++value)
        return type === 'append' ? append(key, value) : insert(key, value)
      }),
    )
    return serial(...all)
  })

void t.test('it passes every serial history', (t) => {
  fc.assert(
    fc.property(serialHistory, (history) => {
      t.same(anomaliesIn(history), [])
    }),
    { numRuns: 200 },
  )
  t.end()
})
