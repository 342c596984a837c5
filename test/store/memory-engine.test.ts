/** What only the in-memory engine can do: crash, delay a sync, and fail it before or after the write. */
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import type { Engine } from '../../store/engine.js'
import { MemoryEngine } from '../../store/memory-engine.js'

const KEY = Buffer.from('k')

function put(engine: Engine, value: string): Promise<void> {
  const batch = engine.batch()
  batch.put(KEY, Buffer.from(value))
  return batch.writeSynced()
}

function read(engine: Engine): string | undefined {
  return engine.get(KEY)?.toString()
}

class Gate {
  open!: () => void
  readonly passed = new Promise<void>((resolve) => {
    this.open = resolve
  })
}

void t.test('G2 a batch is visible and durable only once its sync returned', async (t) => {
  const gate = new Gate()
  const engine = new MemoryEngine({ beforeSync: () => gate.passed })
  const written = put(engine, '1')
  t.equal(read(engine), undefined)
  gate.open()
  await written
  t.equal(read(engine), '1')
  t.equal(read(engine.crash()), '1')
})

void t.test('a crash drops the batch in flight, also when its sync returns later', async (t) => {
  const gate = new Gate()
  const engine = new MemoryEngine({ beforeSync: () => gate.passed })
  const written = put(engine, '1').then(
    () => undefined,
    (error: unknown) => error,
  )
  const reopened = engine.crash()
  gate.open()
  t.ok(isReplogError(await written, 'CLOSED'))
  t.equal(read(reopened), undefined)
  await put(reopened, '2')
  t.equal(read(reopened), '2')
  t.throws(() => engine.get(KEY), { code: 'CLOSED' })
})

void t.test(
  'G10 a failure before the write loses it, one after the write keeps it; the writer cannot tell',
  async (t) => {
    const fail = () => Promise.reject(new Error('EIO'))
    const lost = new MemoryEngine({ beforeSync: fail })
    await t.rejects(put(lost, '1'), { message: 'EIO' })
    t.equal(read(lost), undefined)
    t.equal(read(lost.crash()), undefined)

    const kept = new MemoryEngine({ afterSync: fail })
    await t.rejects(put(kept, '1'), { message: 'EIO' })
    t.equal(read(kept), undefined, 'LevelDB does not show it either until it is reopened')
    t.equal(read(kept.crash()), '1')
  },
)

void t.test('a crashed engine and the one that follows it share no later change', async (t) => {
  const engine = new MemoryEngine()
  await put(engine, '1')
  const first = engine.crash()
  const second = engine.crash()
  await put(first, '2')
  t.equal(read(second), '1')
})

void t.test('close waits for the batch in flight', async (t) => {
  const gate = new Gate()
  const engine = new MemoryEngine({ beforeSync: () => gate.passed })
  const order: string[] = []
  const written = put(engine, '1').then(() => order.push('written'))
  const closed = engine.close().then(() => order.push('closed'))
  gate.open()
  await Promise.all([written, closed])
  t.same(order, ['written', 'closed'])
})
