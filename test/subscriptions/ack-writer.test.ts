/** What is acknowledged is written one after the other, and who waits for it is answered also when nothing is written any more. */
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { AckWriter } from '../../primary/subscriptions/ack-writer.js'
import { ManualClock } from '../primary/manual-clock.js'

interface Writing {
  readonly writer: AckWriter
  readonly written: string[]
  /** The transaction that is under way succeeds. */
  finish: () => void
}

function writing(t: Test): Writing {
  const written: string[] = []
  const made: Writing = { writer: undefined as never, written, finish: () => t.fail('nothing is being written') }
  const write = (token: string): Promise<void> =>
    new Promise((resolve) => {
      made.finish = () => {
        written.push(token)
        resolve()
      }
    })
  return Object.assign(made, { writer: new AckWriter(write, new ManualClock(), '0', (error) => t.error(error)) })
}

t.test('the newest position wins, and each is written when the one before it is', async (t) => {
  const made = writing(t)
  const { writer, written } = made
  writer.want('1')
  writer.want('2')
  writer.want('3')
  const flushed = writer.flush()
  made.finish()
  await setImmediate()
  t.strictSame(written, ['1'])
  made.finish()
  await flushed
  t.strictSame(written, ['1', '3'])
  t.equal(writer.durable, '3')
})

// Who waits for what is never written turns without end and takes the process with it: so that there is nothing to wait
// for is looked at first.
t.test('what is acknowledged after the end is not waited for', async (t) => {
  const { writer, written } = writing(t)
  writer.stop()
  writer.want('1')
  if (!t.equal(writer.wanted, '0')) return
  await writer.flush()
  t.strictSame(written, [])
  t.equal(writer.durable, '0')
})

t.test('what was under way at the end counts, and who waited for it is answered', async (t) => {
  for (const isAwaited of [false, true]) {
    const made = writing(t)
    const { writer, written } = made
    writer.want('1')
    const flushed = isAwaited ? writer.flush() : undefined
    writer.stop()
    made.finish()
    await setImmediate()
    if (!t.equal(writer.wanted, '1')) return
    await flushed
    await writer.flush()
    t.strictSame([writer.durable, written], ['1', ['1']])
  }
})
