/** Resume tokens round-trip, and what is none is INVALID_ARGUMENT and not another place. */
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { formatPosition } from '../../core/position.js'
import type { Epoch, Lsn } from '../../core/position.js'
import { type ChangeToken, formatChangeToken, parseChangeToken } from '../../log/changes/change-token.js'

const U32 = fc.integer({ min: 0, max: 0xffff_ffff })
const TOKEN: fc.Arbitrary<ChangeToken> = fc.record({
  position: fc.record({
    epoch: U32.map((epoch) => epoch as Epoch),
    lsn: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map((lsn) => lsn as Lsn),
    digest: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  }),
  done: fc.option(fc.integer({ min: 0, max: 2 ** 31 }), { nil: undefined }),
  place: fc.option(
    fc.record({
      lastTableId: U32,
      tableId: U32,
      key: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    }),
    { nil: undefined },
  ),
})

function textOf({ position, done, place }: ChangeToken): string {
  return formatChangeToken(formatPosition(position), done, place)
}

void t.test('what is written is read', (t) => {
  fc.assert(
    fc.property(TOKEN, (token) => {
      const read = parseChangeToken(textOf(token))
      if (JSON.stringify(parts(read)) !== JSON.stringify(parts(token))) throw new Error(textOf(token))
    }),
  )
  t.end()
})

function parts({ position, done, place }: ChangeToken): unknown[] {
  const { epoch, lsn, digest } = position
  const key = place && Buffer.from(place.key).toString('hex')
  return [
    epoch,
    lsn.toString(),
    Buffer.from(digest).toString('hex'),
    done ?? null,
    place?.lastTableId,
    place?.tableId,
    key,
  ]
}

void t.test('a changed token is refused, or is what its text says: never read as another', (t) => {
  const change = fc.record({ at: fc.nat(), text: fc.string({ maxLength: 2 }), cut: fc.nat({ max: 3 }) })
  fc.assert(
    fc.property(TOKEN, change, (token, { at, text, cut }) => {
      const whole = textOf(token)
      const place = at % (whole.length + 1)
      const garbled = whole.slice(0, place) + text + whole.slice(place + cut)
      let read: ChangeToken
      try {
        read = parseChangeToken(garbled)
      } catch (error) {
        if (isReplogError(error, 'INVALID_ARGUMENT')) return
        throw error
      }
      if (textOf(read).replace(/\b0+(?=\d)/g, '') !== garbled.replace(/\b0+(?=\d)/g, '')) throw new Error(garbled)
    }),
  )
  t.end()
})

void t.test('garbage', (t) => {
  const position = `1.7.${'0'.repeat(32)}`
  const wrong = ['', ' ', '7', position.slice(1), `${position}/`, `${position}/00`, `${position}/-1`, `${position}/01`]
  wrong.push(
    `${position}~`,
    `${position}~1`,
    `${position}~1.2`,
    `${position}~1.2.=`,
    `${position}~1.2.A`,
    `${position}~4294967296.1.`,
  )
  wrong.push(`${position}~1.2.AAAA/1`, `${position}\n`, `4294967296.${position.slice(2)}`, `${position}/1/1`)
  for (const text of wrong) t.throws(() => parseChangeToken(text), { code: 'INVALID_ARGUMENT' }, JSON.stringify(text))
  t.equal(parseChangeToken(position).done, undefined, 'a position is a token')
  t.end()
})
