/** The examples of README.md do what README.md says: its ```ts test and ```sh test blocks run. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runShell, runTypeScript } from './examples.js'
import { fencedBlocks, tableRows, type FencedBlock } from './markdown.js'
import { freePort } from '../nats/nats-server.js'
import { until } from '../replication/until.js'
import { repositoryPath, repositoryText } from './repository.js'

/** Ports as README.md writes them. */
const PORTS = /\b74\d\d\b/g

/** A new folder outside the repository, so that nothing of the repository's own node_modules is found from it. */
function newFolder(t: { teardown(callback: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'replog-example-'))
  t.teardown(() => {
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

/** The same with other ports: whatever else listens on this machine is none of what README.md shows. */
async function onFreePorts(blocks: readonly FencedBlock[]): Promise<FencedBlock[]> {
  const ports = new Map<string, string>()
  for (const port of new Set(blocks.flatMap(({ text }) => text.match(PORTS) ?? []))) {
    ports.set(port, String(await freePort()))
  }
  return blocks.map((one) => ({ ...one, text: one.text.replaceAll(PORTS, (port) => ports.get(port)!) }))
}

function block(language: string, text: string): FencedBlock {
  return { language, info: 'test', text, line: 1 }
}

t.test('Markdown is read as it is meant', async (t) => {
  const text = [
    '```ts test',
    'const a = 1',
    '```',
    '',
    '```sh',
    'ls',
    '```',
    '| a | b |',
    '| --- | --- |',
    '| `x` | y\\|z |',
  ].join('\n')
  t.same(fencedBlocks(text), [
    { language: 'ts', info: 'test', text: 'const a = 1\n', line: 2 },
    { language: 'sh', info: '', text: 'ls\n', line: 6 },
  ])
  t.same(tableRows(text), [['x', 'y|z']])
  t.throws(() => fencedBlocks('```ts\nconst a = 1'), /line 2 is not closed/)
})

t.test('an example that throws, does not type-check or fails in the shell is found', async (t) => {
  const throwing = await runTypeScript(block('ts', `throw new Error('thrown')`), newFolder(t))
  t.notOk(throwing.ok)
  t.match(throwing.output, /thrown/)
  const mistyped = await runTypeScript(block('ts', `const a: string = 1`), newFolder(t))
  t.notOk(mistyped.ok)
  t.match(mistyped.output, /not assignable/)
  const failing = await runShell([block('sh', 'echo before\n'), block('sh', 'false\necho after\n')], newFolder(t))
  t.notOk(failing.ok)
  t.match(failing.output, /before/)
  t.notMatch(failing.output, /after/)
})

t.test('what a shell example starts is stopped with it', async (t) => {
  const { ok, output } = await runShell([block('sh', 'sleep 1000 &\necho "pid=$!"\n')], newFolder(t))
  t.ok(ok, output)
  const pid = Number(/pid=(\d+)/.exec(output)?.[1])
  // Signal 0 only asks. A killed process stays visible until its parent reaps it, so ask more than once.
  const isRunning = (): boolean => {
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }
  await until(() => !isRunning())
})

if (existsSync(repositoryPath('README.md'))) {
  const blocks = fencedBlocks(repositoryText('README.md')).filter(({ info }) => info === 'test')
  const ofLanguage = (language: string): FencedBlock[] => blocks.filter((block) => block.language === language)

  t.test('README.md has TypeScript and shell examples that are tested', async (t) => {
    t.ok(ofLanguage('ts').length > 0)
    t.ok(ofLanguage('sh').length > 0)
    t.equal(ofLanguage('ts').length + ofLanguage('sh').length, blocks.length, 'each is TypeScript or shell')
  })

  for (const example of ofLanguage('ts')) {
    t.test(`the TypeScript example at line ${example.line} of README.md type-checks and runs`, async (t) => {
      const { ok, output } = await runTypeScript(example, newFolder(t))
      t.ok(ok, output)
    })
  }

  t.test('the shell examples of README.md run', async (t) => {
    const { ok, output } = await runShell(await onFreePorts(ofLanguage('sh')), newFolder(t))
    t.ok(ok, output)
  })
}
