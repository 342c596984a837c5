/** FORMAT.md tells the truth: its example is a frame, and its tables, rules and bounds are those of the code. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import t from 'tap'
import {
  EXPRESSION_DEPTH_MAX,
  EXPRESSION_NODES_MAX,
  FRAME_PAYLOAD_BYTES_MAX,
  SEGMENT_BYTES_TARGET,
} from '../../core/limits.js'
import { asEpoch, LSN_ZERO } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { genesisDigest } from '../../log/codec/digest.js'
import { FRAME_HEADER_BYTES, FRAME_VERSION, readWholeFrame } from '../../log/codec/frame.js'
import { sealTransaction } from '../../log/codec/seal.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { repositoryPath, repositoryText } from '../house/repository.js'

const page = repositoryText('log/codec/FORMAT.md')
const MIB = 1024 * 1024

/** The first group of `pattern` on the page. */
function found(pattern: RegExp): string {
  const match = pattern.exec(page)
  if (match === null) throw new Error(`FORMAT.md has no ${pattern}`)
  return match[1]!
}

const example = Buffer.from(
  found(/```hex\n([^`]+)```/)
    .replace(/#.*$/gm, '')
    .replace(/\s/g, ''),
  'hex',
)
const clusterId = Buffer.from(found(/cluster `([0-9a-f]{32})`/), 'hex')
const genesis = Buffer.from(found(/empty log: `([0-9a-f]{32})`/), 'hex')

/** Offset, size and name of each row of the header table that has a size. */
const fields = [...page.matchAll(/^\| (\d+) \| (\d+) \| (\w+) \|/gm)].map(([, offset, size, name]) => ({
  offset: Number(offset),
  size: Number(size),
  name: name!,
}))

t.test('the header table covers the header without a gap', async (t) => {
  let end = 0
  for (const field of fields) {
    t.equal(field.offset, end, field.name)
    end += field.size
  }
  t.equal(end, FRAME_HEADER_BYTES)
  t.match(page, new RegExp(`^\\| ${FRAME_HEADER_BYTES} \\| \\| payload`, 'm'))
})

t.test('the example is a frame, field by field as the table says', async (t) => {
  const frame = readWholeFrame(example)
  const at = (name: string) => {
    const field = fields.find((each) => each.name === name)
    if (field === undefined) throw new Error(`the table lacks ${name}`)
    return example.subarray(field.offset, field.offset + field.size)
  }
  t.equal(at('magic').toString(), 'rL')
  t.equal(at('version')[0], FRAME_VERSION)
  t.equal(at('flags')[0], 1)
  t.equal(at('length').readUInt32LE(), frame.payload.length)
  t.equal(at('epoch').readUInt32LE(), frame.epoch)
  t.equal(at('lsn').readBigUInt64LE(), frame.lsn)
  t.equal(at('segment').readUInt32LE(), frame.segment)
  t.ok(at('digest').equals(frame.digest))
  const zeroed = Buffer.from(example)
  const { offset } = fields.find((each) => each.name === 'checksum')!
  zeroed.writeUInt32LE(0, offset)
  t.equal(at('checksum').readUInt32LE(), crc32(zeroed))
})

t.test('the digests follow from the grammar', async (t) => {
  const sha256 = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest().subarray(0, 16)
  t.equal(sha256(Buffer.from('replog.v1 genesis'), clusterId).toString('hex'), genesis.toString('hex'))
  t.equal(genesisDigest(clusterId).toString('hex'), genesis.toString('hex'))
  const frame = readWholeFrame(example)
  t.equal(sha256(genesis, frame.payload).toString('hex'), frame.digest.toString('hex'))
  const verifier = new ChainVerifier({ epoch: asEpoch(1), lsn: LSN_ZERO, digest: genesis })
  t.equal(verifier.push(frame)?.length, 1)
})

t.test('the example decodes to what it says, and is what this program writes', async (t) => {
  const transaction = decodeTransaction([readWholeFrame(example).payload])
  t.match(transaction, {
    lsn: 1n,
    epoch: 1,
    catalogId: 1,
    startTimestampUs: 1_795_000_000_000_000n,
    commitTimestampUs: 1_795_000_000_000_250n,
    statements: [{ kind: 'insert', tableId: 3, tableVersion: 1 }],
    annotations: { by: 'demo' },
  })
  const sealed = sealTransaction(transaction, genesis)
  t.equal(sealed.frames.map((frame) => frame.toString('hex')).join(), example.toString('hex'))
})

t.test('the table of statements is the oneof of replication.proto', async (t) => {
  const oneof = /message Statement \{\s*oneof kind \{([^}]*)\}/.exec(repositoryText('log/codec/replication.proto'))![1]!
  const declared = [...oneof.matchAll(/^ +\w+ (\w+) = (\d+);/gm)].map(([, name, field]) => `${field} ${name}`)
  t.ok(declared.length > 10)
  const told = [...page.matchAll(/^\| (\d+) \| ([a-z_]+) \|/gm)].map(([, field, name]) => `${field} ${name}`)
  t.strictSame(told, declared)
})

t.test('the page names the bounds as they are', async (t) => {
  t.equal(EXPRESSION_DEPTH_MAX, Number(found(/at most (\d+) levels deep \(`EXPRESSION_DEPTH_MAX`\)/)))
  t.equal(EXPRESSION_NODES_MAX, Number(found(/at most (\d+) parts\s+\(`EXPRESSION_NODES_MAX`\)/)))
  t.equal(FRAME_PAYLOAD_BYTES_MAX, Number(found(/at most\s+(\d+) MiB long \(`FRAME_PAYLOAD_BYTES_MAX`\)/)) * MIB)
  t.equal(SEGMENT_BYTES_TARGET, Number(found(/about (\d+) MiB \(`SEGMENT_BYTES_TARGET`\)/)) * MIB)
})

t.test('the files that the page points to exist', async (t) => {
  const links = [...page.matchAll(/\]\((\w+\.\w+)\)/g)].map(([, link]) => link!)
  t.strictSame([...new Set(links)].sort(), ['ROWS.md', 'replication.proto'])
  for (const link of links) t.ok(existsSync(repositoryPath(`log/codec/${link}`)), link)
  const frozen = [...page.matchAll(/`(test\/compat\/[^`]+)`/g)].map(([, path]) => path!)
  t.equal(frozen.length, 3)
  for (const path of frozen) t.ok(existsSync(repositoryPath(path)), path)
})
