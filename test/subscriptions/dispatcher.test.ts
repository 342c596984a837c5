/**
 * Sharing a subscription by key: per key in order, nothing missed, nothing with two workers at a time while it is not
 * acknowledged, whoever joins, leaves or is slow. Seeded: REPLOG_TEST_SEED.
 */
import t from 'tap'
import { type Barrier, type Dispatch, type Entry, Worker } from '../../primary/subscriptions/dispatch.js'
import { Dispatcher } from '../../primary/subscriptions/dispatcher.js'
import { ownerOf } from '../../primary/subscriptions/rendezvous.js'
import { Random, TEST_SEED } from '../isolation/random.js'

t.comment(`REPLOG_TEST_SEED=${TEST_SEED}`)

const ROUNDS = Number(process.env['REPLOG_TEST_DISPATCHER_ROUNDS'] ?? 60)
const STEPS = 400

function row(item: number, tableId: number, keys: readonly string[], barrier: Barrier = 'none'): Dispatch<number> {
  return { item, token: String(item), bytes: 1, tableId, barrier, keys: keys.map((key) => `${tableId}.${key}`) }
}

function everything(item: number): Dispatch<number> {
  return { item, token: String(item), bytes: 1, tableId: undefined, barrier: 'all', keys: [] }
}

/** Workers that hold what they were given until they acknowledge it. */
class Workers {
  readonly given: { readonly worker: string; readonly item: number; readonly redelivered: boolean }[] = []
  readonly held = new Map<Worker, Entry<number>[]>()
  readonly dispatcher = new Dispatcher<number>((worker, entry) => {
    this.given.push({ worker: worker.name, item: entry.dispatch.item, redelivered: entry.isRedelivered })
    this.held.get(worker)!.push(entry)
  })

  join(name: string): Worker {
    const worker = new Worker(name)
    this.held.set(worker, [])
    this.dispatcher.join(worker)
    return worker
  }

  leave(worker: Worker): void {
    this.held.delete(worker)
    this.dispatcher.leave(worker)
  }

  add(...dispatches: readonly Dispatch<number>[]): void {
    for (const dispatch of dispatches) this.dispatcher.add(dispatch)
  }

  /** Acknowledges the n-th of what a worker holds. */
  ack(worker: Worker, at = 0): Entry<number> {
    const [entry] = this.held.get(worker)!.splice(at, 1)
    this.dispatcher.acknowledge(entry!, worker)
    return entry!
  }

  /** The worker really has what it was given of these. */
  take(worker: Worker, ...items: readonly number[]): void {
    for (const item of items)
      this.held
        .get(worker)!
        .find(({ dispatch }) => dispatch.item === item)!
        .take()
  }

  /** Changes that a worker has and has not acknowledged, of all that it was given. */
  left(worker: Worker): number[] {
    return this.held
      .get(worker)!
      .filter(({ isAcknowledged }) => !isAcknowledged)
      .map(({ dispatch }) => dispatch.item)
  }

  items(worker: Worker): number[] {
    return this.held.get(worker)!.map(({ dispatch }) => dispatch.item)
  }
}

t.test('one worker gets everything in order, and the settled token follows the oldest that is left', async (t) => {
  const workers = new Workers()
  workers.add(row(1, 1, ['a']), row(2, 1, ['b']))
  t.strictSame(workers.given, [], 'nobody is there')
  const one = workers.join('one')
  workers.add(row(3, 1, ['a']))
  t.strictSame(workers.items(one), [1, 2, 3])
  workers.ack(one, 1)
  t.equal(workers.dispatcher.settled, undefined, 'the first is not acknowledged')
  workers.ack(one)
  t.equal(workers.dispatcher.settled, '2')
  t.equal(workers.dispatcher.size, 1)
})

t.test('keys of a worker that leaves go to others in order, and say that they come again', async (t) => {
  const workers = new Workers()
  const first = workers.join('first')
  workers.add(row(1, 1, ['a']), row(2, 1, ['b']), row(3, 1, ['a']), row(4, 1, ['b']))
  const second = workers.join('second')
  t.strictSame(workers.items(second), [], 'nothing moves while it is out')
  workers.leave(first)
  t.strictSame(workers.items(second), [1, 2, 3, 4])
  t.strictSame(
    workers.given.slice(4).map(({ redelivered }) => redelivered),
    [true, true, true, true],
  )
})

t.test('who joins gets a key when nothing of it is out', async (t) => {
  const workers = new Workers()
  const first = workers.join('first')
  const second = new Worker('second')
  const keys = Array.from({ length: 100 }, (_, at) => String(at))
  const key = keys.find((key) => ownerOf([first, second], `1.${key}`) === second)!
  workers.add(row(1, 1, [key]))
  workers.held.set(second, [])
  workers.dispatcher.join(second)
  workers.add(row(2, 1, [key]))
  t.strictSame(workers.items(first), [1, 2], 'it stays where it is')
  workers.ack(first)
  workers.ack(first)
  workers.add(row(3, 1, [key]))
  t.strictSame(workers.items(second), [3])
})

t.test('a change of a primary key waits for both of its keys', async (t) => {
  const workers = new Workers()
  const [one, two] = [workers.join('one'), workers.join('two')]
  const keys = Array.from({ length: 100 }, (_, at) => String(at))
  const [a, b] = [one, two].map((owner) => keys.find((key) => ownerOf([one, two], `1.${key}`) === owner)!)
  workers.add(row(1, 1, [a!]), row(2, 1, [b!]), row(3, 1, [a!, b!]), row(4, 1, [b!]))
  t.strictSame(
    [workers.items(one), workers.items(two)],
    [[1], [2]],
    'with two workers, so it waits, and what follows it',
  )
  workers.ack(one)
  t.strictSame(workers.items(two), [2, 3, 4], 'one of the keys is free: it goes where the other is')
})

t.test('a definition is alone with its table, and the end of a snapshot with everything', async (t) => {
  const workers = new Workers()
  const one = workers.join('one')
  workers.add(row(1, 1, ['a']), row(2, 1, [], 'table'), row(3, 1, ['b']), row(4, 2, ['x']))
  t.strictSame(workers.items(one), [1, 4], 'the other table goes on')
  workers.ack(one)
  t.strictSame(workers.items(one), [4, 2])
  workers.ack(one, 1)
  t.strictSame(workers.items(one), [4, 3])
  workers.add(everything(5), row(6, 2, ['y']))
  t.strictSame(workers.items(one), [4, 3])
  workers.ack(one)
  workers.ack(one)
  t.strictSame(workers.items(one), [5])
  workers.ack(one)
  t.strictSame(workers.items(one), [6])
})

t.test('what went to another worker is not acknowledged by the first', async (t) => {
  const workers = new Workers()
  const first = workers.join('first')
  workers.add(row(1, 1, ['a']))
  const [entry] = workers.held.get(first)!
  workers.leave(first)
  const second = workers.join('second')
  t.equal(workers.dispatcher.acknowledge(entry!, first), false)
  t.equal(workers.dispatcher.settled, undefined)
  t.equal(workers.dispatcher.acknowledge(entry!, second), true)
  t.equal(workers.dispatcher.settled, '1')
})

t.test('an acknowledgement up to a change that overtook others leaves those others alone', async (t) => {
  const workers = new Workers()
  const one = workers.join('one')
  workers.add(row(1, 1, ['a']), row(2, 1, [], 'table'), row(3, 1, ['b']), row(4, 2, ['x']))
  workers.take(one, 1, 4)
  for (const worker of [undefined, one]) {
    workers.dispatcher.acknowledgeTaken('4', worker)
    t.strictSame(workers.left(one), [2], 'it is given now, and was not taken')
    t.equal(workers.dispatcher.settled, '1')
  }
  workers.dispatcher.acknowledgeTaken('2', one)
  t.equal(workers.dispatcher.settled, '1', 'nobody took it')
  workers.take(one, 2)
  workers.dispatcher.acknowledgeTaken('2', one)
  workers.take(one, 3)
  workers.dispatcher.acknowledgeTaken('3', one)
  t.equal(workers.dispatcher.settled, '4')
})

t.test('an acknowledgement up to a change leaves alone what came later from a worker that left', async (t) => {
  const workers = new Workers()
  const [one, two] = [workers.join('one'), workers.join('two')]
  const keys = Array.from({ length: 100 }, (_, at) => String(at))
  const [a, b] = [one, two].map((owner) => keys.find((key) => ownerOf([one, two], `1.${key}`) === owner)!)
  workers.add(row(1, 1, [a!]), row(2, 1, [b!]), row(3, 1, [b!]), row(4, 1, [a!]))
  workers.take(one, 1, 4)
  workers.take(two, 2, 3)
  workers.leave(two)
  workers.dispatcher.acknowledgeTaken('4', one)
  t.strictSame(workers.left(one), [2, 3])
  workers.take(one, 2)
  workers.dispatcher.acknowledgeTaken('4')
  t.strictSame(workers.left(one), [2, 3], 'what it took since then is not meant')
  t.equal(workers.dispatcher.settled, '1')
  workers.dispatcher.acknowledgeTaken('2', new Worker('other'))
  t.equal(workers.dispatcher.settled, '1', 'it is not that one that took it')
})

t.test('without a worker, what others took before then counts, too', async (t) => {
  const workers = new Workers()
  const [one, two] = [workers.join('one'), workers.join('two')]
  const keys = Array.from({ length: 100 }, (_, at) => String(at))
  const [a, b] = [one, two].map((owner) => keys.find((key) => ownerOf([one, two], `1.${key}`) === owner)!)
  workers.add(row(1, 1, [a!]), row(2, 1, [b!]), row(3, 1, [b!]), row(4, 1, [a!]), row(5, 1, [b!]))
  workers.take(two, 2, 5)
  workers.take(one, 1, 4)
  workers.take(two, 3)
  workers.dispatcher.acknowledgeTaken('4')
  t.strictSame([workers.left(one), workers.left(two)], [[], [3, 5]])
  workers.dispatcher.passOver()
  t.equal(workers.dispatcher.settled, '5')
  t.equal(workers.dispatcher.outstanding, 0)
})

t.test('random joins, leaves and slow workers', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const seed = (TEST_SEED + round) >>> 0
    const problem = runModel(new Random(seed))
    if (problem !== undefined) {
      t.fail(`REPLOG_TEST_SEED=${seed}: ${problem}`)
      return
    }
  }
  t.pass(`${ROUNDS} rounds`)
})

/** @returns what went wrong */
function runModel(random: Random): string | undefined {
  const dispatches: Dispatch<number>[] = []
  const acknowledged = new Set<number>()
  const holders = new Map<number, Worker>()
  const held = new Map<Worker, Entry<number>[]>()
  const problems: string[] = []
  const conflicts = (left: Dispatch<number>, right: Dispatch<number>): boolean => {
    if (left.barrier === 'all' || right.barrier === 'all') return true
    if (left.tableId !== right.tableId) return false
    return left.barrier === 'table' || right.barrier === 'table' || left.keys.some((key) => right.keys.includes(key))
  }
  const dispatcher = new Dispatcher<number>((worker, entry) => {
    const { item } = entry.dispatch
    if (!held.has(worker)) problems.push(`${item} went to a worker that is not there`)
    if (acknowledged.has(item)) problems.push(`${item} came again after it was acknowledged`)
    if (holders.has(item)) problems.push(`${item} is with two workers`)
    // All before it that it must not overtake are done, or with the same worker, before it.
    for (const before of dispatches) {
      if (before.item >= item || acknowledged.has(before.item) || !conflicts(before, entry.dispatch)) continue
      const isAlone = before.barrier !== 'none' || entry.dispatch.barrier !== 'none'
      if (isAlone || holders.get(before.item) !== worker) problems.push(`${item} overtook ${before.item}`)
    }
    holders.set(item, worker)
    held.get(worker)?.push(entry)
  })
  const acknowledge = (worker: Worker): void => {
    const entries = held.get(worker)!
    // Of one key in order, as a worker does them; of others as it likes.
    const ready = entries.filter(
      (entry) =>
        !entries.some(
          (other) => other.dispatch.item < entry.dispatch.item && conflicts(other.dispatch, entry.dispatch),
        ),
    )
    if (ready.length === 0) return
    const entry = random.pick(ready)
    entries.splice(entries.indexOf(entry), 1)
    const { item } = entry.dispatch
    acknowledged.add(item)
    holders.delete(item)
    if (!dispatcher.acknowledge(entry, worker)) problems.push(`${item} was not taken for acknowledged`)
  }
  let names = 0
  const join = (): void => {
    const worker = new Worker(`worker ${names++ % 6}`)
    held.set(worker, [])
    dispatcher.join(worker)
  }
  const leave = (worker: Worker): void => {
    for (const { dispatch } of held.get(worker)!) holders.delete(dispatch.item)
    held.delete(worker)
    dispatcher.leave(worker)
  }
  const next = (): Dispatch<number> => {
    const item = dispatches.length
    const tableId = random.below(3)
    if (random.chance(0.02)) return everything(item)
    if (random.chance(0.04)) return row(item, tableId, [], 'table')
    const key = String(random.below(6))
    const other = String(random.below(6))
    const keys = random.chance(0.15) && other !== key ? [key, other] : [key]
    return row(item, tableId, keys, random.chance(0.01) ? 'table' : 'none')
  }
  const slow = random.below(6)
  for (let step = 0; step < STEPS && problems.length === 0; step++) {
    const workers = [...held.keys()]
    const choice = random.below(100)
    if (choice < 45) {
      const dispatch = next()
      dispatches.push(dispatch)
      dispatcher.add(dispatch)
    } else if (choice < 52 && workers.length < 5) join()
    else if (choice < 57 && workers.length > 0) leave(random.pick(workers))
    else if (workers.length > 0) {
      const worker = random.pick(workers)
      if (!worker.name.endsWith(String(slow)) || random.chance(0.1)) acknowledge(worker)
    }
    const oldest = dispatches.findIndex(({ item }) => !acknowledged.has(item))
    const settled = oldest < 0 ? dispatches.length - 1 : oldest - 1
    if ((dispatcher.settled ?? '-1') !== String(settled))
      problems.push(`settled is ${dispatcher.settled}, not ${settled}`)
  }
  // Everybody but one leaves, and that one does all that is left.
  join()
  const last = [...held.keys()].at(-1)!
  for (const worker of [...held.keys()]) if (worker !== last) leave(worker)
  for (let left = dispatches.length; left > 0 && acknowledged.size < dispatches.length; left--) acknowledge(last)
  if (acknowledged.size < dispatches.length) problems.push(`${dispatches.length - acknowledged.size} were never given`)
  if (dispatcher.size > 0 || dispatcher.bytes > 0 || dispatcher.outstanding > 0) problems.push('something is left')
  return problems[0]
}
