/** What continues a log and what does not: gap, lower epoch, other history and contradiction each have their error. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { asEpoch, asLsn, LSN_ZERO, type Epoch, type Lsn, type Position } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { genesisDigest } from '../../log/codec/digest.js'
import { FRAME_HEADER_BYTES, readFrame, readWholeFrame, sealFrame, type Frame } from '../../log/codec/frame.js'
import type { Transaction } from '../../log/codec/message.js'
import { sealTransaction } from '../../log/codec/seal.js'
import { decodeTransaction, encodeTransaction } from '../../log/codec/transaction-codec.js'
import { SAMPLE, text, transaction } from './messages.js'

const EMPTY: Position = { epoch: asEpoch(1), lsn: LSN_ZERO, digest: genesisDigest(Buffer.alloc(16)) }
const TARGET = 200

/** The frames of transactions that get the LSNs 1, 2, 3 …, each with the epoch given for it. */
function logOf(transactions: readonly Transaction[], epochs: readonly number[] = []): Frame[][] {
  let digest: Uint8Array = EMPTY.digest
  return transactions.map((each, index) => {
    const placed = { ...each, lsn: asLsn(BigInt(index + 1)), epoch: asEpoch(epochs[index] ?? 1) }
    const sealed = sealTransaction(placed, digest, TARGET)
    digest = sealed.digest
    return sealed.frames.map((bytes) => readWholeFrame(bytes))
  })
}

/** A transaction of three segments. */
const LARGE: Transaction = {
  ...SAMPLE,
  statements: [
    { kind: 'insert', tableId: 1, tableVersion: 1, rows: [90, 90, 90].map((n) => ({ after: Buffer.alloc(n, n) })) },
  ],
}

/** A verifier that has taken `frames`. */
function after(frames: readonly Frame[]): ChainVerifier {
  const verifier = new ChainVerifier(EMPTY)
  for (const frame of frames) verifier.push(frame)
  return verifier
}

function sealed(payload: Buffer, lsn: Lsn, epoch: Epoch, segment: number, lastSegment: boolean, digest: Uint8Array) {
  const frame = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), payload])
  sealFrame(frame, { lsn, epoch, segment, lastSegment }, digest)
  return readWholeFrame(frame)
}

t.test('G3: the frames of a log come out as its transactions, whole and in order', async () => {
  fc.assert(
    fc.property(fc.array(transaction, { maxLength: 5 }), (transactions) => {
      const log = logOf(transactions)
      const verifier = new ChainVerifier(EMPTY)
      const whole: (readonly Frame[])[] = []
      for (const frame of log.flat()) {
        const done = verifier.push(frame)
        assert.equal(done !== undefined, frame.lastSegment)
        if (done === undefined) continue
        whole.push(done)
        assert.equal(verifier.position.lsn, frame.lsn)
        assert.ok(frame.digest.equals(verifier.position.digest))
        assert.equal(verifier.openBytes, 0)
      }
      assert.deepEqual(whole, log)
    }),
    { numRuns: 50 },
  )
})

t.test('verification goes on from a position', async (t) => {
  const [first, second] = logOf([SAMPLE, LARGE]) as [Frame[], Frame[]]
  const resumed = new ChainVerifier(after(first).position)
  const done = second.map((frame) => resumed.push(frame)).at(-1)!
  t.equal(text(decodeTransaction(done.map((frame) => frame.payload)).lsn), text(2n))
})

t.test('a transaction is held back until its last segment', async (t) => {
  const [first, large] = logOf([SAMPLE, LARGE]) as [Frame[], Frame[]]
  const verifier = after(first)
  t.equal(large.length, 3)
  t.equal(verifier.push(large[0]!), undefined)
  t.equal(verifier.push(large[1]!), undefined)
  t.equal(verifier.position.lsn, 1n)
  t.equal(verifier.openBytes, large[0]!.bytes.length + large[1]!.bytes.length)
  t.equal(verifier.push(large[2]!)?.length, 3)
  t.equal(verifier.position.lsn, 2n)
})

t.test('a kept position does not pin the frame', async (t) => {
  const [frames] = logOf([SAMPLE]) as [Frame[]]
  t.not(after(frames).position.digest.buffer, frames[0]!.bytes.buffer)
})

t.test('an epoch may rise with a transaction', async (t) => {
  const log = logOf([SAMPLE, SAMPLE, SAMPLE], [1, 4, 4])
  t.equal(after(log.flat()).position.epoch, 4)
})

const [ONE, TWO, THREE] = logOf([SAMPLE, LARGE, SAMPLE]) as [Frame[], Frame[], Frame[]]

/** What was taken before, the frame that then comes, and the code it is refused with. */
const REFUSED: Record<string, { readonly taken: Frame[]; readonly next: Frame; readonly code: string }> = {
  MissingTransaction: { taken: ONE, next: THREE[0]!, code: 'LOG_GAP' },
  RepeatedTransaction: { taken: ONE, next: ONE[0]!, code: 'LOG_GAP' },
  MissingFirstSegment: { taken: ONE, next: TWO[1]!, code: 'LOG_GAP' },
  MissingMiddleSegment: { taken: [...ONE, TWO[0]!], next: TWO[2]!, code: 'LOG_GAP' },
  RepeatedSegment: { taken: [...ONE, TWO[0]!], next: TWO[0]!, code: 'LOG_GAP' },
  TransactionInsideAnother: { taken: [...ONE, TWO[0]!], next: THREE[0]!, code: 'LOG_GAP' },
  LowerEpoch: {
    taken: logOf([SAMPLE], [5])[0]!,
    next: logOf([SAMPLE, SAMPLE], [5, 4])[1]![0]!,
    code: 'FENCED',
  },
  OtherHistory: {
    taken: logOf([{ ...SAMPLE, catalogId: 9 }])[0]!,
    next: TWO[0]!,
    code: 'DIVERGED',
  },
  OtherCluster: {
    taken: [],
    next: sealedSample(genesisDigest(Buffer.alloc(16, 1))),
    code: 'DIVERGED',
  },
  HeaderOfAnotherLsn: { taken: ONE, next: contradiction({ lsn: asLsn(2n) }), code: 'CORRUPT' },
  HeaderOfAnotherEpoch: { taken: [], next: contradiction({ epoch: asEpoch(2) }), code: 'CORRUPT' },
  HeaderOfAnotherSegmentFlag: { taken: [], next: contradiction({ lastSegment: false }), code: 'CORRUPT' },
  PayloadThatIsNoTransaction: {
    taken: [],
    next: sealed(Buffer.from('junk'), asLsn(1n), EMPTY.epoch, 0, true, EMPTY.digest),
    code: 'CORRUPT',
  },
  EpochThatChangesInsideATransaction: { taken: [...ONE, TWO[0]!], next: otherEpochSegment(), code: 'CORRUPT' },
}

function sealedSample(digest: Uint8Array): Frame {
  return readFrame(sealTransaction({ ...SAMPLE, lsn: asLsn(1n) }, digest).frames[0]!)!
}

/** A frame of LSN 1 whose header says something else than its payload. */
function contradiction(says: { lsn?: Lsn; epoch?: Epoch; lastSegment?: boolean }): Frame {
  const payload = encodeTransaction({ ...SAMPLE, lsn: asLsn(1n) })[0]!
  const { lsn = asLsn(1n), epoch = EMPTY.epoch, lastSegment = true } = says
  return sealed(payload, lsn, epoch, 0, lastSegment, lsn === 1n ? EMPTY.digest : ONE[0]!.digest)
}

function otherEpochSegment(): Frame {
  const payload = encodeTransaction({ ...LARGE, lsn: asLsn(2n), epoch: asEpoch(2) }, 0, TARGET)[1]!
  return sealed(payload, asLsn(2n), asEpoch(2), 1, false, TWO[0]!.digest)
}

for (const [name, { taken, next, code }] of Object.entries(REFUSED)) {
  t.test(`G3 G7 G8: ${name}Is${code}`, async (t) => {
    const verifier = after(taken)
    const before = text(verifier.position)
    const openBytes = verifier.openBytes
    t.throws(() => verifier.push(next), { code })
    t.equal(text(verifier.position), before, 'a refused frame changes nothing')
    t.equal(verifier.openBytes, openBytes)
  })
}

t.test('a log goes on after a frame that was refused', async (t) => {
  const verifier = after(ONE)
  t.throws(() => verifier.push(THREE[0]!), { code: 'LOG_GAP' })
  for (const frame of [...TWO, ...THREE]) verifier.push(frame)
  t.equal(verifier.position.lsn, 3n)
})
