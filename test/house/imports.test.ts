/** The direction of imports, on the real tree and, so that the check cannot go blind, on trees that break each rule. */
import t from 'tap'
import { DEVELOPMENT_PACKAGES, importViolations, packagesImported } from './import-rules.js'
import { ourFiles, repositoryText } from './repository.js'

const FAKE_TREES: readonly { rule: string; files: Record<string, string>; violation: RegExp }[] = [
  {
    rule: 'core imports nothing above it',
    files: { 'core/a.ts': `import { b } from '../store/b.js'`, 'store/b.ts': 'export const b = 1' },
    violation: /core\/a\.ts imports store\/b\.ts: core may not import store/,
  },
  {
    rule: 'store and log/codec do not know each other',
    files: { 'store/a.ts': `import '../log/codec/b.js'`, 'log/codec/b.ts': '' },
    violation: /store may not import log\/codec/,
  },
  {
    rule: 'log/codec does not import store',
    files: { 'log/codec/b.ts': `export type { A } from '../../store/a.js'`, 'store/a.ts': 'export type A = 1' },
    violation: /log\/codec may not import store/,
  },
  {
    rule: 'ddl does not import log',
    files: { 'ddl/a.ts': `const b = await import('../log/b.js')`, 'log/b.ts': 'export {}' },
    violation: /ddl may not import log$/m,
  },
  {
    rule: 'log does not import primary',
    files: { 'log/http/a.ts': `type B = import('../../primary/b.js').B`, 'primary/b.ts': 'export type B = 1' },
    violation: /log may not import primary/,
  },
  {
    rule: 'primary does not import replica',
    files: { 'primary/a.ts': `import type { B } from '../replica/b.js'`, 'replica/b.ts': 'export type B = 1' },
    violation: /primary may not import replica/,
  },
  {
    rule: 'replica does not import primary',
    files: { 'replica/b.ts': `import { a } from '../primary/a.js'`, 'primary/a.ts': 'export const a = 1' },
    violation: /replica may not import primary/,
  },
  {
    rule: 'nothing imports tests',
    files: { 'tools/a.ts': `import '../test/b.js'`, 'test/b.ts': '' },
    violation: /tools may not import test/,
  },
  {
    rule: 'nothing but tests imports the door of the package',
    files: { 'tools/a.ts': `import '../index.js'`, 'index.ts': '' },
    violation: /tools may not import index/,
  },
  { rule: 'a new folder needs a layer', files: { 'utils/a.ts': '' }, violation: /utils\/a\.ts is in no layer/ },
  {
    rule: 'sources do not reach outside the layers',
    files: { 'tools/a.ts': `import '../scripts/b.js'` },
    violation: /imports scripts\/b\.ts, which is in no layer/,
  },
  {
    rule: 'level stays in store',
    files: { 'log/a.ts': `import 'level'` },
    violation: /level, which belongs in store\//,
  },
  {
    rule: 'classic-level stays in store',
    files: { 'tools/a.ts': `import { ClassicLevel } from 'classic-level'` },
    violation: /classic-level, which belongs in store\//,
  },
  {
    rule: 'protobufjs stays in log/codec',
    files: { 'log/a.ts': `import protobuf from 'protobufjs/minimal.js'` },
    violation: /protobufjs, which belongs in log\/codec\//,
  },
  {
    rule: 'fastify itself stays in log/http',
    files: { 'primary/a.ts': `import fastify, { type FastifyInstance } from 'fastify'` },
    violation: /primary\/a\.ts imports fastify, which belongs in log\/http\//,
  },
  {
    rule: 'fastify types stay in the servers',
    files: { 'log/read.ts': `import type { FastifyInstance } from 'fastify'` },
    violation: /log\/read\.ts imports fastify \(types\)/,
  },
  {
    rule: 'fastify plugins stay in log/http',
    files: { 'replica/a.ts': `import swagger from '@fastify/swagger'` },
    violation: /@fastify\/swagger, which belongs in log\/http\//,
  },
  {
    rule: 'ws stays behind the socket door',
    files: { 'primary/a.ts': `import 'ws'` },
    violation: /ws, which belongs in log\/socket\//,
  },
  {
    rule: 'prom-client stays in one file',
    files: { 'log/a.ts': `import 'prom-client'`, 'primary/b.ts': `import 'prom-client'` },
    violation: /prom-client is imported by log\/a\.ts and primary\/b\.ts/,
  },
  {
    rule: 'commander stays in tools',
    files: { 'log/a.ts': `import 'commander'` },
    violation: /commander, which belongs/,
  },
  {
    rule: 'd3 stays in the file that plots',
    files: { 'tools/bench/fsync/a.ts': `import { scaleLog } from 'd3-scale'` },
    violation: /d3-scale, which belongs in tools\/bench\/plot\.ts/,
  },
  {
    rule: 'each client of a peer stays in its file',
    files: { 'tools/bench/a.ts': `const pg = await import('pg')`, 'primary/b.ts': `import 'mariadb/callback'` },
    violation: /primary\/b\.ts imports mariadb, which belongs in tools\/bench\/peers\/mariadb-client\.ts/,
  },
  {
    rule: 'every package has a place',
    files: { 'log/a.ts': `import 'left-pad'` },
    violation: /left-pad, which has no place/,
  },
  {
    rule: 'built-ins are imported as node:',
    files: { 'log/a.ts': `import 'fs'` },
    violation: /fs, which has no place/,
  },
  {
    rule: 'no circles',
    files: {
      'log/a.ts': `import './b.js'`,
      'log/b.ts': `import './c.js'`,
      'log/c.ts': `import type { A } from './a.js'`,
    },
    violation: /circular imports: log\/a\.ts → log\/b\.ts → log\/c\.ts → log\/a\.ts/,
  },
  { rule: 'no barrels', files: { 'log/all.ts': `export { a } from './a.js'` }, violation: /log\/all\.ts is a barrel/ },
  {
    rule: 'nothing passes everything on',
    files: { 'log/a.ts': `export * from './b.js'\nexport const c = 1` },
    violation: /log\/a\.ts is a barrel/,
  },
  { rule: 'one index only', files: { 'log/index.ts': 'export const a = 1' }, violation: /log\/index\.ts is a barrel/ },
]

const GOOD_TREE = {
  'core/errors.ts': 'export class A {}',
  'store/store.ts': `import { Level } from 'level'\nimport { A } from '../core/errors.js'`,
  'log/codec/frame.ts': `import protobuf from 'protobufjs'\nimport '../../core/errors.js'`,
  'ddl/dictionary.ts': `import '../store/store.js'\nimport '../log/codec/frame.js'`,
  'log/read.ts': `import { open } from 'node:fs/promises'\nimport '../ddl/dictionary.js'`,
  'log/http/server.ts': `import fastify from 'fastify'\nimport swagger from '@fastify/swagger'\nimport '../read.js'`,
  'primary/routes.ts': `import type { FastifyInstance } from 'fastify'\nimport '../log/http/server.js'`,
  'replica/follow.ts': `import { WebSocket } from 'ws'\nimport '../log/read.js'`,
  'tools/replog.ts': `import 'commander'\nimport '../primary/routes.js'\nimport '../replica/follow.js'`,
  'index.ts': `export * from './primary/routes.js'\nexport { A } from './core/errors.js'`,
  'test/a.test.ts': `import t from 'tap'\nimport { Level } from 'level'\nimport '../tools/replog.js'\nimport '../index.js'`,
}

t.test('a tree that keeps the rules has no violation', async (t) => {
  t.same(importViolations(new Map(Object.entries(GOOD_TREE))), [])
})

for (const { rule, files, violation } of FAKE_TREES) {
  t.test(`the check finds what breaks the rule: ${rule}`, async (t) => {
    const found = importViolations(new Map(Object.entries(files)))
    t.ok(
      found.some((text) => violation.test(text)),
      `found: ${found.join('; ') || 'nothing'}`,
    )
  })
}

const sources = new Map(
  ourFiles(['.ts'])
    .filter((path) => !path.startsWith('scripts/'))
    .map((path) => [path, repositoryText(path)]),
)

t.test('imports run one way: core ← store, log/codec ← ddl ← log ← primary, replica ← tools ← test', async (t) => {
  t.ok(sources.size > 10, `${sources.size} files are checked`)
  t.same(importViolations(sources), [])
})

t.test('package.json lists every package the product imports as a dependency', async (t) => {
  const { dependencies, devDependencies } = JSON.parse(repositoryText('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >
  for (const name of packagesImported(sources)) {
    t.ok(name in (DEVELOPMENT_PACKAGES.has(name) ? devDependencies : dependencies), name)
  }
})
