/** The command line: help, exit codes, the nearest right verb and flag, flags from the environment, errors as text or JSON. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { VERSION } from '../../core/version.js'
import { describeVerbs, dispatch } from '../../tools/dispatch.js'
import { SERVER_NODE_FLAGS } from '../../tools/node-flags.js'
import { Terminal } from '../../tools/terminal.js'
import { VERBS } from '../../tools/verbs.js'
import { recordedStream, replog } from './recording-terminal.js'

/** Sets variables for one test. */
function withEnvironment(t: Test, variables: Readonly<Record<string, string>>): void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, variables)
  t.teardown(() => {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name)
      else process.env[name] = value
    }
  })
}

t.test('--version and --help', async (t) => {
  t.same(await replog('--version'), { code: 0, stdout: `${VERSION}\n`, stderr: '', bytes: Buffer.from(`${VERSION}\n`) })
  for (const args of [['--help'], ['-h'], ['help']]) {
    const { code, stdout } = await replog(...args)
    t.equal(code, 0)
    for (const { name } of VERBS) t.match(stdout, new RegExp(`^  ${name} +\\S`, 'm'), name)
  }
  const nothing = await replog()
  t.equal(nothing.code, 2)
  t.equal(nothing.stdout, '')
  t.match(nothing.stderr, /Commands:/)
})

t.test('every verb has --help, which names its flags and exits 0', async (t) => {
  for (const { name, flags } of await describeVerbs()) {
    const asked = await replog(...name.split(' '), '--help')
    t.equal(asked.code, 0, name)
    t.match(asked.stdout, `Usage: replog ${name}`)
    for (const { flag } of flags) t.match(asked.stdout, flag)
    t.same(await replog('help', ...name.split(' ')), asked, 'replog help VERB is the same')
  }
})

t.test('verbs are what they are registered as, and each flag has a variable of its own', async (t) => {
  for (const { name, load } of VERBS) t.equal((await load()).name, name)
  for (const { name, summary, flags } of await describeVerbs()) {
    t.match(summary, /^\S.*[^.]$/, `${name} has a summary without a full stop`)
    for (const { flag, environment, description } of flags) {
      t.match(environment, /^REPLOG_[A-Z_]+$/, flag)
      t.match(description, /\S/, `${name} ${flag} is described`)
    }
    t.equal(new Set(flags.map(({ environment }) => environment)).size, flags.length)
  }
})

t.test('what cannot be meant exits 2 and names the nearest right verb or flag', async (t) => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['sttus'], /"sttus" is not a command; did you mean "status"\?/],
    [['show-creat'], /did you mean "show-create"\?/],
    [['log', 'dmp'], /did you mean "log dump"\?/],
    [['lgo', 'dump'], /did you mean "log dump"\?/],
    [['log'], /"log" is not a command; there are: log dump, log tail/],
    [['xyzzy-plugh'], /is not a command; `replog --help` lists all/],
    [['--dta'], /unknown option --dta; a command comes first/],
    [['log', 'dump', '--dta', 'x'], /unknown flag --dta; did you mean --data\?/],
    [['log', 'dump', '--dta=x'], /unknown flag --dta; did you mean --data\?/],
    [['import', 'f', '--tabel', 'x'], /unknown flag --tabel; did you mean --table\?/],
    [['status', '--qqqqqqqqqq'], /unknown flag --qqqqqqqqqq; the flags are --json, --watch/],
    [['status', '-x'], /unknown flag -x/],
    [['status', 'a', 'b'], /too many arguments/],
    [['proto', '--data', 'x'], /missing required argument 'table'/],
    [['import', 'f'], /required option '--table <table>' not specified/],
    [['log', 'dump', '--data'], /option '--data <dir>' argument missing/],
    [['log', 'dump', '--data', 'x', '--limit', '0'], /whole number from 1 up/],
    [['log', 'dump', '--data', 'x', '--after', 'soon'], /"soon" is not an LSN/],
    [['log', 'dump', '--data', 'x', '--format', 'xml'], /Allowed choices are json, frames, payload/],
    [['log', 'dump', '--data', 'x', '--format', 'payload'], /name it with --lsn/],
    [['log', 'dump', '--data', 'x', '--lsn', '3', '--limit', '2'], /leave out --after and --limit/],
    [['log', 'dump', '--data', 'x', '--lsn', '0'], /counts from 1/],
    [['log', 'dump'], /give --from URL of a running server, or --data DIR/],
    [['log', 'dump', '--from', 'u', '--data', 'd'], /not both/],
    [['import', 'f', '--table', 'x', '--to', 'u', '--data', 'd'], /not both/],
    [['import', 'f', '--table', 'x', '--key', 'a'], /--key belongs to --create/],
    [['import', 'f', '--table', 'x', '--create', '--key', 'a,,b'], /column names with commas between/],
    [['import', 'f', '--table', 'x', '--delimiter', ';;'], /one character/],
  ]
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await replog(...args)
    t.match({ code, stdout, stderr }, { code: 2, stdout: '', stderr: message }, args.join(' '))
    t.match(stderr, /^replog/)
  }
})

t.test('a refusal exits 1, as text or as JSON', async (t) => {
  const directory = t.testdir({})
  const args = ['show-create', 'nothing', '--data', directory]
  const text = await replog(...args)
  t.match(text, { code: 1, stdout: '', stderr: /^replog: NOT_FOUND: .* does not exist or is empty/ })
  const usage = await replog('status', '--josn', '--json')
  t.equal(usage.code, 2)
  t.match(JSON.parse(usage.stderr), { error: { code: 'INVALID_ARGUMENT', message: /did you mean --json/ } })
  const json = await replog('tables', '127.0.0.1:1', '--json')
  t.equal(json.code, 1)
  t.match(JSON.parse(json.stderr), { error: { code: 'UNREACHABLE', message: /cannot be reached/ } })
})

t.test('a fault of our own is not caught', async (t) => {
  const broken = recordedStream()
  const terminal = new Terminal(
    Object.assign(broken.stream, {
      write: () => {
        throw new TypeError('broken')
      },
    }),
    broken.stream,
  )
  await t.rejects(dispatch(['--version'], terminal), TypeError)
})

t.test('every flag reads its variable, and the command line wins', async (t) => {
  withEnvironment(t, { REPLOG_DATA: t.testdir({ file: 'x' }), REPLOG_LIMIT: '0', REPLOG_FORMAT: '' })
  t.match(await replog('log', 'dump'), {
    code: 2,
    stderr: /'--limit <n>' value '0' from env 'REPLOG_LIMIT' is invalid/,
  })
  t.match(await replog('log', 'dump', '--limit', '1'), { code: 1, stderr: /NOT_A_DATA_DIRECTORY/ }, 'empty is not set')
  const from = await replog('log', 'dump', '--limit', '1', '--from', '127.0.0.1:1')
  t.match(from, { code: 1, stderr: /UNREACHABLE/ }, 'a source on the command line is preferred to one in a variable')
})

t.test('a flag without a value is set by 1, true, yes or on, and by nothing else', async (t) => {
  for (const value of ['1', 'true', 'YES', 'on']) {
    withEnvironment(t, { REPLOG_JSON: value })
    t.match(await replog('tables', 'ftp://x'), { code: 1 }, value)
  }
  for (const value of ['0', 'false', 'No', 'off', '']) {
    withEnvironment(t, { REPLOG_JSON: value, REPLOG_WATCH: value })
    t.match(await replog('status', 'ftp://x'), { code: 1, stderr: /INVALID_ARGUMENT/ }, value)
  }
  withEnvironment(t, { REPLOG_JSON: 'perhaps' })
  t.match(await replog('tables', 'ftp://x'), { code: 2, stderr: /REPLOG_JSON is "perhaps"; .* takes 1 or 0/ })
})

t.test('the program itself: executable, exit code, and quiet when its reader leaves', async (t) => {
  const program = fileURLToPath(new URL('../../tools/replog.js', import.meta.url))
  const [first] = readFileSync(program, 'utf8').split('\n')
  t.equal(first, `#!/usr/bin/env -S node ${SERVER_NODE_FLAGS.join(' ')}`)
  const run = async (...args: readonly string[]): Promise<{ code: unknown; stderr: string }> => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    const [code] = (await once(child, 'close')) as [unknown]
    return { code, stderr }
  }
  t.same(await run('--help'), { code: 0, stderr: '' }, 'nobody reads')
  // As `npx` starts it: by its first line.
  const installed = join(t.testdir(), 'replog')
  symlinkSync(program, installed)
  chmodSync(program, 0o755)
  t.match(execFileSync(installed, ['--version'], { encoding: 'utf8' }), /^\d+\.\d+\.\d+/)
  t.match(await run('nonsense'), { code: 2, stderr: /is not a command/ })
})
