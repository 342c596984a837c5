// Turns log/codec/replication.proto into log/codec/generated/replication.ts.
//
//   node scripts/generate-codec.mjs [OUTPUT-FILE]
//
// The output is the descriptor (what `pbjs -t json` prints) as a typed constant; protobufjs compiles its codecs from it
// on first use. pbjs' static code is not taken: 180 KB of JavaScript with a hand-off .d.ts that tsc would neither check
// nor copy into build/, for messages that are rare (definitions). The hot message has a codec of its own.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import prettier from 'prettier'
import pbjs from 'protobufjs-cli/pbjs.js'

const root = new URL('../', import.meta.url)
const proto = fileURLToPath(new URL('log/codec/replication.proto', root))
const committed = fileURLToPath(new URL('log/codec/generated/replication.ts', root))

const json = await new Promise((resolve, reject) => {
  pbjs.main(['--target', 'json', proto], (error, output) => (error ? reject(error) : resolve(output)))
})

// The original spelling of names: longer than all the rest, and the codecs do not use it.
const descriptor = JSON.parse(json, (key, value) => (key === 'protoName' ? undefined : value))

const source = `// Generated from ../replication.proto by scripts/generate-codec.mjs; edit that, not this.
export const REPLICATION_DESCRIPTOR = ${JSON.stringify(descriptor)}
`

const style = JSON.parse(readFileSync(new URL('.prettierrc.json', root), 'utf8'))
writeFileSync(process.argv[2] ?? committed, await prettier.format(source, { ...style, parser: 'typescript' }))
