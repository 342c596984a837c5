/**
 * Frames of format version 1, frozen: every later version reads them and writes them again byte for byte.
 *
 * `frames-v1.json` was written by the first version, `definitions-v1.json` by the first that had the statements and
 * fields of transactional DDL, `markers-v1.json` by the first that had verify markers; none is ever generated again. A bigint in them is `{"bigint": text}`, bytes are
 * `{"hex": text}`. The transactions of each form one log that begins with LSN 1.
 */
import t from 'tap'
import { EPOCH_FIRST, LSN_ZERO } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { genesisDigest } from '../../log/codec/digest.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import { readWholeFrame } from '../../log/codec/frame.js'
import type { Statement, TableMessage, Transaction } from '../../log/codec/message.js'
import { sealTransaction } from '../../log/codec/seal.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { NO_EXTRAS } from '../codec/definitions.js'
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

/** The fields that definitions got after `frames-v1.json` was written, where a definition in it lacks them. */
function completed(transaction: Transaction): Transaction {
  return { ...transaction, statements: transaction.statements.map(completedStatement) }
}

function completedStatement(statement: Statement): Statement {
  switch (statement.kind) {
    case 'createTable':
      return { ...statement, after: completedTable(statement.after) }
    case 'dropTable':
      return { ...statement, before: completedTable(statement.before) }
    case 'createSchema':
      return { ...statement, after: { ...NO_TEXTS, ...statement.after } }
    case 'createCatalog':
      return { ...statement, after: { ...NO_TEXTS, ...statement.after } }
    default:
      return statement
  }
}

const NO_TEXTS = { comment: '', options: {} }

function completedTable(table: TableMessage): TableMessage {
  const indexes = table.indexes.map((index) => ({ ...NOT_BUILDING, ...index }))
  const added: Partial<TableMessage> = { ...NO_EXTRAS, storageId: table.id }
  return { ...added, ...table, indexes }
}

const NOT_BUILDING = { building: false, validating: false }

function kindsOf(fixture: Fixture): readonly string[] {
  const statements = fixture.log.flatMap(({ transaction }) => transaction.statements)
  return [...new Set(statements.map((statement) => statement.kind))].sort()
}

const first = JSON.parse(repositoryText('test/compat/frames-v1.json'), revive) as Fixture
const definitions = JSON.parse(repositoryText('test/compat/definitions-v1.json'), revive) as Fixture
const markers = JSON.parse(repositoryText('test/compat/markers-v1.json'), revive) as Fixture

t.test('the frozen logs show every kind of statement, cut transactions and annotations', async (t) => {
  const transactions = first.log.map((entry) => entry.transaction)
  t.strictSame(kindsOf(first), [
    'createCatalog',
    'createSchema',
    'createTable',
    'delete',
    'dropTable',
    'insert',
    'newEpoch',
    'update',
  ])
  t.ok(transactions.some((each) => each.annotations !== undefined))
  t.strictSame(kindsOf(definitions), [
    'alterCatalog',
    'alterSchema',
    'alterTable',
    'createCatalog',
    'createIndex',
    'createSchema',
    'createTable',
    'delete',
    'dropCatalog',
    'dropIndex',
    'dropSchema',
    'dropTable',
    'insert',
    'newEpoch',
    'renameTables',
    'rewrite',
    'truncateTable',
    'update',
  ])
  t.strictSame(kindsOf(markers), ['verifyMarker'])
  for (const { log } of [first, definitions]) t.ok(log.some((entry) => entry.frames.length > 2))
})

for (const [page, fixture] of Object.entries({ first, definitions, markers })) {
  const genesis = genesisDigest(fixture.clusterId)

  for (const { name, transaction, frames } of fixture.log) {
    t.test(`frozen ${name} decodes to the same transaction`, async (t) => {
      const payloads = frames.map((frame) => readWholeFrame(frame).payload)
      t.equal(text(decodeTransaction(payloads)), text(completed(transaction)))
    })
  }

  t.test(`the frozen log (${page}), encoded again, gives the same frames`, async (t) => {
    let digest: Uint8Array = genesis
    for (const { name, transaction, frames } of fixture.log) {
      const sealed = sealTransaction(completed(transaction), digest, fixture.segmentBytesTarget)
      t.strictSame(
        sealed.frames.map((frame) => frame.toString('hex')),
        frames.map((frame) => Buffer.from(frame).toString('hex')),
        name,
      )
      digest = sealed.digest
    }
  })

  t.test(`the frozen log (${page}) is one chain`, async (t) => {
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
}
