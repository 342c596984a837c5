/**
 * Change streams as applications read them. G2, G3: in order, however they are asked for; no further than asked for; and
 * an end for each: a loop that is left, a signal, a server that closes.
 */
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { CHANGE_BATCH_CHANGES_MAX } from '../../core/limits.js'
import type { Change } from '../../log/changes/change.js'
import { type ChangeOptions, ChangeSource } from '../../log/changes/change-source.js'
import { LINES } from '../../log/changes/change-format.js'
import { changePieces } from '../../log/changes/change-pieces.js'
import { ChangeStream } from '../../log/changes/change-stream.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { openGated } from '../primary/open-primary.js'
import { outcomeOf } from '../primary/outcome.js'
import { until } from '../replication/until.js'
import { changesOf, shown } from './changes-of.js'

const CREATE = {
  createTable: {
    table: {
      name: 'rows',
      columns: [
        { name: 'id', type: 'INTEGER', autoIncrement: true },
        { name: 'v', type: 'BLOB' },
      ],
      primaryKey: ['id'],
    },
  },
}
const INSERT = { insert: { table: 'rows', rows: [{}] } }

async function filled(primary: Primary, transactions: number, rows = 1): Promise<void> {
  const db = primary.catalog()
  await db.execute([CREATE])
  const statements = [{ insert: { table: 'rows', rows: Array.from({ length: rows }, () => ({})) } }]
  await Promise.all(Array.from({ length: transactions }, () => db.execute(statements)))
}

void t.test(
  'for await, asked for at once, as a Node stream and as a web stream: the same changes in order',
  async (t) => {
    const { primary, db } = await openGated(t)
    await filled(primary, 600)
    const options = { after: '0', follow: false } as const
    const expected = (await changesOf(db, options)).map(shown)
    t.equal(expected.length, 1 + 1 + 1 + 600)

    const asked = db.changes(options)
    const all = await Promise.all(Array.from({ length: expected.length + 5 }, () => asked.next()))
    t.same(
      all.slice(0, expected.length).map(({ value }) => shown(value!)),
      expected,
    )
    t.ok(all.slice(expected.length).every(({ done }) => done === true))

    const readable: string[] = []
    for await (const change of db.changes(options).readable() as AsyncIterable<Change>) readable.push(shown(change))
    t.same(readable, expected)

    const web: string[] = []
    for await (const change of db.changes(options).toReadableStream()) web.push(shown(change))
    t.same(web, expected)
  },
)

void t.test('who asks again before the answer came gets the answers in the order of asking', async (t) => {
  const { primary, db } = await openGated(t)
  await filled(primary, 3)
  const stream = db.changes({ after: '2', follow: false })
  const answers: string[] = []
  const ask = async (name: string): Promise<void> => {
    const { value } = await stream.next()
    answers.push(`${name} ${value?.lsn}`)
  }
  await Promise.all([ask('first').then(() => ask('third')), ask('second')])
  t.same(answers, ['first 3', 'second 4', 'third 5'])
})

void t.test('it reads no further than it is read from', async (t) => {
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine() })
  t.teardown(() => primary.close())
  await filled(primary, 2500)
  const { state } = primary
  const source = new ChangeSource(state, primary.catalog().name, { after: '2' })
  const stream = new ChangeStream(source, undefined)
  let count = 0
  for await (const change of stream) {
    count++
    const ahead = Number(source.position.lsn - change.lsn)
    if (ahead > CHANGE_BATCH_CHANGES_MAX) t.fail(`${ahead} transactions ahead of its reader`)
    if (count === 1500) break
  }
  t.equal(count, 1500)

  const readable = primary.catalog().changes({ after: '2' }).readable()
  readable.read(0)
  await until(() => readable.readableLength > 0)
  for (let turn = 0; turn < 20; turn++) await setImmediate()
  t.ok(readable.readableLength <= CHANGE_BATCH_CHANGES_MAX, 'a Node stream holds a bounded number')
  readable.destroy()
})

void t.test('a transaction of many rows is told a batch at a time, in whole with `transactions`', async (t) => {
  const { primary, db } = await openGated(t)
  await filled(primary, 2, 3000)
  const source = new ChangeSource(primary.state, db.name, { after: '2', follow: false })
  const sizes: number[] = []
  const ordinals: number[] = []
  for await (const batch of source.batches(new AbortController().signal)) {
    sizes.push(batch.length)
    for (const change of batch) if (change.type === 'insert') ordinals.push(change.ordinal)
  }
  t.ok(sizes.every((size) => size <= CHANGE_BATCH_CHANGES_MAX))
  const expected = Array.from({ length: 3000 }, (_, ordinal) => ordinal)
  t.same(ordinals, [...expected, ...expected])
  const whole = await changesOf(db, { after: '2', transactions: true })
  t.same(
    whole.map((change) => change.type === 'transaction' && change.changes.length),
    [3000, 3000],
  )
})

void t.test('`now` is when the stream is asked for; without `follow` it ends where the log ended', async (t) => {
  const { primary, db } = await openGated(t)
  await filled(primary, 2)
  const stream = db.changes()
  await db.execute([INSERT])
  t.equal((await stream.next()).value?.lsn, 5n, 'what was committed before it was read from is told')
  const ended = db.changes({ after: '2', follow: false })
  const first = await ended.next()
  await db.execute([INSERT])
  const rest = [first.value?.lsn]
  for await (const { lsn } of ended) rest.push(lsn)
  t.same(rest, [3n, 4n, 5n])
  await stream.return()
})

void t.test('leaving the loop ends it; what waits then gets the end, not an error', async (t) => {
  const { primary, db } = await openGated(t)
  await filled(primary, 5)
  const stream = db.changes({ after: '2' })
  for await (const { lsn } of stream) if (lsn === 4n) break
  t.same(await stream.next(), { done: true, value: undefined })

  const idle = db.changes()
  const waiting = [idle.next(), idle.next()]
  await idle.return()
  t.same(await Promise.all(waiting), [
    { done: true, value: undefined },
    { done: true, value: undefined },
  ])
  t.same(await idle.return(), { done: true, value: undefined }, 'twice is once')

  const web = db.changes().toReadableStream().getReader()
  const reading = web.read()
  await web.cancel()
  t.same(await reading, { done: true, value: undefined })
  const readable = db.changes().readable()
  readable.resume()
  await setImmediate()
  readable.destroy()
  await until(() => readable.closed)
  t.equal(readable.errored, null)
  t.ok(readable instanceof Readable)
})

void t.test('an aborted signal rejects what waits with its reason, and ends what comes', async (t) => {
  const { primary, db } = await openGated(t)
  await filled(primary, 5)
  const reason = new Error('enough')
  const before = db.changes({ after: '0', signal: AbortSignal.abort(reason) })
  await t.rejects(before.next(), reason)
  t.same(await before.next(), { done: true, value: undefined })

  const controller = new AbortController()
  const stream = db.changes({ after: '2', signal: controller.signal })
  await stream.next()
  controller.abort(reason)
  await t.rejects(stream.next(), reason, 'also what was read already')
  t.same(await stream.next(), { done: true, value: undefined })

  const idle = new AbortController()
  const waits = db.changes({ signal: idle.signal })
  const waiting = waits.next()
  await setImmediate()
  idle.abort(reason)
  await t.rejects(waiting, reason)
})

void t.test('a server that closes ends it with CLOSED, whether it waits or reads', async (t) => {
  const { primary, db } = await openGated(t)
  await filled(primary, 1200)
  const [waits, reads] = [db.changes(), db.changes({ after: '0' })]
  const waiting = outcomeOf(waits.next())
  await reads.next()
  await primary.close()
  t.equal(await waiting, 'CLOSED')
  let outcome: unknown
  for (let change = 0; change < 1300 && outcome !== 'CLOSED'; change++) outcome = await outcomeOf(reads.next())
  t.equal(outcome, 'CLOSED')
  t.equal(await outcomeOf(db.changes().next()), 'CLOSED')
  t.equal(await outcomeOf(db.changes({ snapshot: true }).next()), 'CLOSED')
})

function ticking(primary: Primary, clock: ManualClock, options: ChangeOptions): ChangeStream {
  return new ChangeStream(new ChangeSource(primary.state, primary.catalog().name, options, clock), undefined)
}

void t.test(
  'heartbeats: while nothing happens, and while the filter lets nothing through, with progress',
  async (t) => {
    const { primary, db } = await openGated(t)
    await filled(primary, 3)
    const clock = new ManualClock()
    const stream = ticking(primary, clock, { heartbeatMs: 1000 })
    let next = stream.next()
    await until(() => clock.timers === 1)
    await clock.advance(999)
    t.equal(clock.timers, 1, 'not before its time')
    await clock.advance(1)
    const first = (await next).value!
    t.same([first.type, first.lsn], ['heartbeat', 5n])
    await db.execute([INSERT])
    t.same((await stream.next()).value?.type, 'insert')
    next = stream.next()
    await until(() => clock.timers === 1)
    await clock.advance(1000)
    t.same((await next).value?.lsn, 6n)
    await stream.return()
    t.equal(clock.timers, 0)

    const filtered = ticking(primary, clock, { heartbeatMs: 1000, tables: ['none'] })
    next = filtered.next()
    await until(() => clock.timers === 1)
    const { position } = await db.execute([INSERT])
    await until(() => clock.timers === 1)
    await clock.advance(1000)
    const told = (await next).value!
    t.same([told.type, told.lsn], ['heartbeat', position.lsn], 'what was left out is progress')
    t.same(await changesOf(db, { after: told.token }), [])
    await filtered.return()
  },
)

void t.test('options that are none are INVALID_ARGUMENT', async (t) => {
  const { db } = await openGated(t)
  const wrong: unknown[] = [
    null,
    7,
    { after: 7 },
    { after: 'x' },
    { after: '' },
    { snapshot: 'yes' },
    { snapshot: true, after: '0' },
    { follow: 1 },
    { transactions: null },
    { heartbeatMs: 9 },
    { heartbeatMs: Infinity },
    { heartbeatMs: '100' },
    { heartbeatMs: NaN },
    { signal: {} },
    { tables: [] },
  ]
  for (const options of wrong) {
    t.throws(() => db.changes(options as ChangeOptions), { code: 'INVALID_ARGUMENT' }, JSON.stringify(options))
  }
  t.equal(await outcomeOf(db.changes({ after: '99999999999999999999' }).next()), 'INVALID_ARGUMENT')
  t.equal(await outcomeOf(db.changes({ after: '2' }).next()), 'INVALID_ARGUMENT', 'ahead of the log')
})

void t.test('a piece says whether it ends in the midst of a message, where no error can be told', async (t) => {
  const { primary, db } = await openGated(t)
  await filled(primary, 1)
  const options = { after: '1', follow: false, transactions: true } as const
  const [first] = await changesOf(db, options)
  const length = 128 * 1024
  const format = {
    text: () => 'whole',
    *transaction() {
      yield 'x'.repeat(length)
      yield 'x'.repeat(length)
      yield 'y'
    },
  }
  const given: [number, boolean | undefined][] = []
  let isWithin: boolean | undefined
  const onPiece = (isWithinMessage: boolean): void => {
    isWithin = isWithinMessage
  }
  const batches = Readable.from([[first!]]) as AsyncIterable<Change[]>
  for await (const piece of changePieces(batches, { format, framing: LINES, onSent: () => undefined, onPiece })) {
    given.push([piece.length, isWithin])
  }
  t.same(given, [
    [length, true],
    [length, true],
    [1, false],
  ])
})
