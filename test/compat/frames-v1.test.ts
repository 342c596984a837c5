/**
 * Frames of format version 1, frozen: every later version reads them and writes them again byte for byte.
 *
 * `frames-v1.json` was written by the first version and is never generated again. A bigint in it is `{"bigint": text}`,
 * bytes are `{"hex": text}`. Its transactions form one log that begins with LSN 1.
 */
import t from 'tap'
import { EPOCH_FIRST, LSN_ZERO } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { genesisDigest } from '../../log/codec/digest.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import { readWholeFrame } from '../../log/codec/frame.js'
import type { Transaction } from '../../log/codec/message.js'
import { sealTransaction } from '../../log/codec/seal.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { text } from '../codec/messages.js'
import { repositoryText } from '../house/repository.js'

interface Fixture {
  readonly clusterId: Uint8Array
  readonly segmentBytesTarget: number
  readonly log: readonly { readonly name: string; readonly transaction: Transaction; readonly frames: Uint8Array[] }[]
}

function revive(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if ('bigint' in value) return BigInt(value.bigint as string)
  return 'hex' in value ? Buffer.from(value.hex as string, 'hex') : value
}

const fixture = JSON.parse(repositoryText('test/compat/frames-v1.json'), revive) as Fixture
const genesis = genesisDigest(fixture.clusterId)

t.test('the frozen log shows every kind of statement, a cut transaction and annotations', async (t) => {
  const transactions = fixture.log.map((entry) => entry.transaction)
  const kinds = new Set(transactions.flatMap((each) => each.statements.map((statement) => statement.kind)))
  t.strictSame([...kinds].sort(), [
    'createCatalog',
    'createSchema',
    'createTable',
    'delete',
    'dropTable',
    'insert',
    'newEpoch',
    'update',
  ])
  t.ok(fixture.log.some((entry) => entry.frames.length > 2))
  t.ok(transactions.some((each) => each.annotations !== undefined))
})

for (const { name, transaction, frames } of fixture.log) {
  t.test(`frozen ${name} decodes to the same transaction`, async (t) => {
    t.equal(text(decodeTransaction(frames.map((frame) => readWholeFrame(frame).payload))), text(transaction))
  })
}

t.test('the frozen log, encoded again, gives the same frames', async (t) => {
  let digest: Uint8Array = genesis
  for (const { name, transaction, frames } of fixture.log) {
    const sealed = sealTransaction(transaction, digest, fixture.segmentBytesTarget)
    t.strictSame(
      sealed.frames.map((frame) => frame.toString('hex')),
      frames.map((frame) => Buffer.from(frame).toString('hex')),
      name,
    )
    digest = sealed.digest
  }
})

t.test('the frozen log is one chain', async (t) => {
  const verifier = new ChainVerifier({ epoch: EPOCH_FIRST, lsn: LSN_ZERO, digest: genesis })
  const reader = new FrameReader()
  const whole = fixture.log
    .flatMap((entry) => entry.frames)
    .flatMap((bytes) => reader.push(bytes))
    .flatMap((frame) => verifier.push(frame) ?? [])
  reader.end()
  t.equal(whole.length, fixture.log.flatMap((entry) => entry.frames).length)
  t.equal(verifier.position.lsn, BigInt(fixture.log.length))
})
