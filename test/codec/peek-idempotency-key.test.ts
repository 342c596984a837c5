/** What a purge reads of a payload to find its outcome is what decoding it gives, and damage is CORRUPT. (G8) */
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { encodeTransaction, peekIdempotencyKey } from '../../log/codec/transaction-codec.js'
import { SAMPLE, transaction } from './messages.js'

t.test('the key of segment 0, whatever stands before it; none in other segments', (t) => {
  const key = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((text) => text.isWellFormed())
  fc.assert(
    fc.property(transaction, fc.option(key, { nil: undefined }), (message, idempotencyKey) => {
      const keyed = { ...message, ...(idempotencyKey === undefined ? {} : { idempotencyKey, outcome: Buffer.of(1) }) }
      const [first, ...others] = encodeTransaction(keyed, 0, 200)
      const found = peekIdempotencyKey(first!)
      return (
        found?.idempotencyKey === keyed.idempotencyKey &&
        (found === undefined || found.catalogId === message.catalogId) &&
        others.every((payload) => peekIdempotencyKey(payload) === undefined)
      )
    }),
  )
  t.end()
})

t.test('cut off anywhere it gives the key, none, or CORRUPT', (t) => {
  const [payload] = encodeTransaction({ ...SAMPLE, idempotencyKey: 'a key' })
  for (let length = 0; length < payload!.length; length++) {
    try {
      const found = peekIdempotencyKey(payload!.subarray(0, length))
      t.ok(found === undefined || found.idempotencyKey === 'a key', `the first ${length} bytes`)
    } catch (error) {
      t.ok(isReplogError(error, 'CORRUPT'), `the first ${length} bytes`)
    }
  }
  t.end()
})
