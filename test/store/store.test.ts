/** The store on the in-memory engine: seals, one batch in flight, poison, disk space, closing. */
import t from 'tap'
import type { Clock } from '../../core/clock.js'
import { isReplogError, type ReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import { logKey, logRange, metaKey, prefixRange, rowPrefix } from '../../store/keys.js'
import { MemoryEngine, type MemoryEngineHooks } from '../../store/memory-engine.js'
import { Store, type StoreOptions } from '../../store/store.js'
import { WriteSet } from '../../store/write-set.js'

const GIB = 1024 ** 3

/** Time that only moves when told. */
class ManualClock implements Clock {
  #now = 0
  #timers: { readonly at: number; readonly callback: () => void }[] = []

  nowUs(): bigint {
    return BigInt(this.#now) * 1000n
  }

  monotonicMs(): number {
    return this.#now
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMs, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  get timers(): number {
    return this.#timers.length
  }

  async advance(ms: number): Promise<void> {
    this.#now += ms
    const due = this.#timers.filter((timer) => timer.at <= this.#now)
    this.#timers = this.#timers.filter((timer) => timer.at > this.#now)
    for (const { callback } of due) callback()
    await new Promise(setImmediate)
  }
}

function storeWith(hooks: MemoryEngineHooks = {}, options: StoreOptions = {}, free = () => GIB) {
  const engine = new MemoryEngine(hooks)
  const clock = new ManualClock()
  const freeBytes = () => Promise.resolve().then(free)
  return { engine, clock, store: new Store({ engine, clock, path: '/data', freeBytes }, options) }
}

function put(name: string, value: string): WriteSet {
  const writes = new WriteSet()
  writes.put(metaKey(name), Buffer.from(value))
  return writes
}

function valueOf(store: Store, name: string): string | undefined {
  return store.get(metaKey(name))?.toString()
}

class Gate {
  open!: () => void
  readonly passed = new Promise<void>((resolve) => {
    this.open = resolve
  })
}

async function caught(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  return undefined
}

void t.test('G1 S1 all write sets of a commit enter one batch, and are read back unsealed', async (t) => {
  const { store, engine } = storeWith()
  const writes = new WriteSet()
  writes.put(metaKey('a'), Buffer.from('1'))
  writes.put(metaKey('gone'), Buffer.from('x'))
  writes.delete(metaKey('gone'))
  const group = store.group()
  group.add(writes)
  group.add(put('b', '2'))
  group.addFrame(1n as Lsn, 0, Buffer.from('frame'))
  await store.commit(group)
  t.equal(engine.syncs, 1)
  t.same([valueOf(store, 'a'), valueOf(store, 'b'), valueOf(store, 'gone')], ['1', '2', undefined])
  const many = await store.getMany(['b', 'none', 'a'].map(metaKey))
  t.same(
    many.map((value) => value?.toString()),
    ['2', undefined, '1'],
  )
  const options = { entriesMax: 10, bytesMax: 1000, reverse: true }
  const page = await store.page(prefixRange(metaKey('')), options)
  t.same(
    page.entries.map(({ key, value }) => [key.toString(), value.toString()]),
    [
      ['Mb', '2'],
      ['Ma', '1'],
    ],
  )
  const frames = await store.frames(logRange(1n as Lsn), options)
  t.same(
    frames.entries.map(({ value }) => value.toString()),
    ['frame'],
  )
  t.same(
    (await store.getFrames([logKey(1n as Lsn, 0), logKey(2n as Lsn, 0)])).map((value) => value?.toString()),
    ['frame', undefined],
  )
  t.equal(engine.get(logKey(1n as Lsn, 0))?.toString(), 'frame', 'a frame is stored as it is')
  t.not(engine.get(metaKey('a'))?.toString(), '1', 'a payload is stored sealed')
})

void t.test('G8 S4 a damaged value is CORRUPT by every way to read it', async (t) => {
  const { store, engine } = storeWith()
  const key = Buffer.concat([rowPrefix(7), Buffer.from('k')])
  const batch = engine.batch()
  batch.put(key, Buffer.from('not sealed'))
  await batch.writeSynced()
  const damaged = { code: 'CORRUPT', message: /row of storage 7/ }
  t.throws(() => store.get(key), damaged)
  await t.rejects(store.getMany([key]), damaged)
  await t.rejects(store.page(prefixRange(rowPrefix(7)), { entriesMax: 1, bytesMax: 1, reverse: false }), damaged)
})

void t.test('S2 a second batch in flight is our bug; a group may be filled meanwhile', async (t) => {
  const gate = new Gate()
  const { store } = storeWith({ beforeSync: () => gate.passed })
  const first = store.commit([put('a', '1')])
  const next = store.group()
  next.add(put('a', '2'))
  next.add(put('b', '3'))
  t.same([next.operations, next.bytes], [2, 6])
  await t.rejects(store.commit([put('c', '4')]), { name: 'AssertionError' })
  gate.open()
  await first
  t.equal(valueOf(store, 'a'), '1')
  await store.commit(next)
  t.same([valueOf(store, 'a'), valueOf(store, 'b'), valueOf(store, 'c')], ['2', '3', undefined])
  await t.rejects(store.commit(next), { name: 'AssertionError' }, 'a group is committed once')
  await t.rejects(store.commit([]), { name: 'AssertionError' }, 'a commit writes something')
  t.equal(store.failure, undefined, 'a bug does not poison')
})

void t.test('a discarded group leaves nothing', async (t) => {
  const { store } = storeWith()
  const group = store.group()
  group.add(put('a', '1'))
  await group.discard()
  t.equal(valueOf(store, 'a'), undefined)
  t.equal(store.counters.commits, 0)
})

void t.test('G10 S3 a rejected write is COMMIT_UNKNOWN and poisons the store; reads go on', async (t) => {
  const cause = new Error('EIO')
  let fail = false
  const reported: ReplogError[] = []
  const hooks = { afterSync: () => (fail ? Promise.reject(cause) : Promise.resolve()) }
  const { store, engine } = storeWith(hooks, { onFailed: (error) => reported.push(error) })
  await store.commit([put('a', '1')])
  fail = true
  const error = await caught(store.commit([put('a', '2')]))
  t.ok(isReplogError(error, 'COMMIT_UNKNOWN'))
  t.equal((error as Error).cause, cause)
  t.match((error as Error).message, /EIO/)
  t.equal(store.failure, error)
  t.same(reported, [error])
  fail = false
  const later = await caught(store.commit([put('a', '3')]))
  t.ok(isReplogError(later, 'STORE_FAILED'))
  t.equal((later as Error).cause, error)
  t.throws(() => store.group(), { code: 'STORE_FAILED' })
  t.equal(valueOf(store, 'a'), '1', 'reads go on')
  t.equal(reported.length, 1)
  t.equal(store.counters.commits, 1)
  const reopened = new Store({ engine: engine.crash(), clock: new ManualClock(), path: '/data' })
  t.equal(valueOf(reopened, 'a'), '2', 'the disk alone knows the outcome')
})

void t.test('S3 a group that was being filled when the store failed is refused', async (t) => {
  const gate = new Gate()
  const { store } = storeWith({ beforeSync: () => gate.passed.then(() => Promise.reject(new Error('EIO'))) })
  const first = caught(store.commit([put('a', '1')]))
  const next = store.group()
  next.add(put('b', '2'))
  gate.open()
  t.ok(isReplogError(await first, 'COMMIT_UNKNOWN'))
  t.ok(isReplogError(await caught(store.commit(next)), 'STORE_FAILED'))
})

void t.test('S5 writes are refused while the disk is nearly full, and taken again by themselves', async (t) => {
  let free = 100
  const options = { diskFreeBytesMin: 100, diskCheckMs: 1000 }
  const { store, clock } = storeWith({}, options, () => free)
  t.doesNotThrow(() => store.assertSpace())
  await store.start()
  t.doesNotThrow(() => store.assertSpace())
  free = 99
  await clock.advance(999)
  t.doesNotThrow(() => store.assertSpace(), 'not looked up yet')
  await clock.advance(1)
  t.throws(() => store.assertSpace(), { code: 'DISK_FULL', details: { freeBytes: 99, freeBytesMin: 100 } })
  free = 100
  await clock.advance(1000)
  t.doesNotThrow(() => store.assertSpace())
})

void t.test('S5 a failed look-up keeps the last figure and is repeated', async (t) => {
  let answer: () => number = () => 10
  const { store, clock } = storeWith({}, { diskFreeBytesMin: 100, diskCheckMs: 1000 }, () => answer())
  await store.start()
  answer = () => {
    throw new Error('EIO')
  }
  await clock.advance(1000)
  t.throws(() => store.assertSpace(), { code: 'DISK_FULL' })
  answer = () => 1000
  await clock.advance(1000)
  t.doesNotThrow(() => store.assertSpace())
})

void t.test('the file system answers the question for free space', async (t) => {
  const clock = new ManualClock()
  const dependencies = { engine: new MemoryEngine(), clock, path: t.testdir({}) }
  const modest = new Store(dependencies, { diskFreeBytesMin: 1 })
  await modest.start()
  t.doesNotThrow(() => modest.assertSpace())
  const greedy = new Store(dependencies, { diskFreeBytesMin: Number.MAX_SAFE_INTEGER })
  await greedy.start()
  t.throws(() => greedy.assertSpace(), { code: 'DISK_FULL' })
})

void t.test('close waits for the batch in flight, stops the timer, and everything after it is CLOSED', async (t) => {
  const gate = new Gate()
  const { store, engine, clock } = storeWith({ beforeSync: () => gate.passed })
  await store.start()
  const order: string[] = []
  const committed = store.commit([put('a', '1')]).then(() => order.push('committed'))
  const closed = store.close().then(() => order.push('closed'))
  t.ok(isReplogError(await caught(store.commit([put('b', '2')])), 'CLOSED'))
  gate.open()
  await Promise.all([committed, closed, store.close()])
  t.same(order, ['committed', 'closed'])
  t.equal(clock.timers, 0)
  t.throws(() => store.get(metaKey('a')), { code: 'CLOSED' })
  t.throws(() => store.group(), { code: 'CLOSED' })
  t.equal(new Store({ engine: engine.crash(), clock, path: '/' }).get(metaKey('a'))?.toString(), '1')
})

void t.test('counters count commits, syncs, bytes and the longest page', async (t) => {
  const { store, engine, clock } = storeWith()
  await store.commit([put('a', '123')])
  await store.commit([put('b', '1'), put('c', '1')])
  const page = engine.page.bind(engine)
  const options = { entriesMax: 1, bytesMax: 1, reverse: false }
  for (const durationMs of [5, 3]) {
    engine.page = async (...input) => {
      await clock.advance(durationMs)
      return page(...input)
    }
    await store.page(prefixRange(metaKey('')), options)
  }
  t.same(store.counters, { commits: 2, syncs: 2, bytesWritten: 2 + 3 + 3 + 3, longestPageMs: 5 })
})

void t.test('log frames are not read as sealed values, nor the other way round', async (t) => {
  const { store } = storeWith()
  const bug = { name: 'AssertionError' }
  t.throws(() => store.get(logKey(1n as Lsn, 0)), bug)
  t.throws(() => store.getFrames([metaKey('a')]), bug)
  await t.rejects(store.frames(prefixRange(metaKey('')), { entriesMax: 1, bytesMax: 1, reverse: false }), bug)
})
