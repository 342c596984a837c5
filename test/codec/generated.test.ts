/** The committed descriptor is what the generator makes of replication.proto today. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs/light.js'
import t from 'tap'
import { REPLICATION_DESCRIPTOR } from '../../log/codec/generated/replication.js'
import { repositoryPath, repositoryText } from '../house/repository.js'

t.test('generating again gives the committed file, byte for byte', async (t) => {
  const output = join(t.testdir(), 'replication.ts')
  const run = spawnSync(process.execPath, [repositoryPath('scripts/generate-codec.mjs'), output], { encoding: 'utf8' })
  t.equal(run.status, 0, run.stderr)
  t.equal(readFileSync(output, 'utf8'), repositoryText('log/codec/generated/replication.ts'))
})

t.test('the descriptor resolves, and every message of the .proto is in it', async (t) => {
  const root = protobuf.Root.fromJSON(REPLICATION_DESCRIPTOR)
  root.resolveAll()
  const declared = [...repositoryText('log/codec/replication.proto').matchAll(/^message (\w+)/gm)].map(
    ([, name]) => name!,
  )
  t.ok(declared.length > 10)
  for (const name of declared) t.ok(root.lookupType(`replog.v1.${name}`), name)
})
