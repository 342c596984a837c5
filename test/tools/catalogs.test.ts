/** `replog catalogs`, `catalogs create`, `alter` and `drop` against a server, and the flags that set limits. */
import { Command } from 'commander'
import t from 'tap'
import { numberedNames } from '../../tools/catalogs/make-catalogs.js'
import { addLimitFlags, limitOptions } from '../../tools/limit-flags.js'
import { serve } from '../http/serving.js'
import { replog } from './recording-terminal.js'

t.test('catalogs are made by name and by number, listed in order, and dropped', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const { url } = serving
  const made = await replog('catalogs', 'create', url, 'shop', 'ümläut "x"')
  t.match(made, { code: 0, stdout: /^2 created, in / })
  const many = await replog('catalogs', 'create', url, '--count', '250', '--prefix', 't-', '--table', '--json')
  t.match(many, { code: 0 })
  t.match(JSON.parse(many.stdout), { created: 250, existed: 0, seconds: Number })

  const listed = await replog('catalogs', url, '--json')
  const catalogs = JSON.parse(listed.stdout) as { name: string; tables: number }[]
  t.equal(catalogs.length, 253)
  t.match(
    catalogs.filter(({ name }) => name.startsWith('t-')),
    numberedNames('t-', 250).map((name) => ({ name, comment: '', options: {}, tables: 1, rows: 0, bytes: 0 })),
  )
  const text = await replog('catalogs', url)
  t.match(text.stdout, /^catalog +tables +rows +bytes +comment and options\nlocal +0 +0 +0 B\nshop +0 /)
  t.match((await replog('tables', url, '--catalog', 't-007')).stdout, /\ntest +items /)

  t.match(await replog('catalogs', 'drop', url, 't-001', 't-250'), { code: 0, stdout: '2 dropped\n' })
  t.match(await replog('catalogs', 'drop', url, 'shop', '--json'), { code: 0, stdout: '{"dropped":1}\n' })
  const left = JSON.parse((await replog('catalogs', url, '--json')).stdout) as unknown[]
  t.equal(left.length, 250)
})

t.test('comment and options are set by flags, listed in one line, changed and taken away', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const { url } = serving
  const flags = ['--comment', 'of\nAda\u001b[2J', '--option', 'tier=gold', '--option', 'query=a=b']
  t.match(await replog('catalogs', 'create', url, 'shop', ...flags), { code: 0 })
  const listed = async (): Promise<unknown> => JSON.parse((await replog('catalogs', url, '--json')).stdout)
  t.match(await listed(), [{}, { name: 'shop', comment: 'of\nAda\u001b[2J', options: { tier: 'gold', query: 'a=b' } }])
  const { stdout } = await replog('catalogs', url)
  t.match(stdout, / of Ada \[2J; .*tier=gold/, 'nothing in it speaks to the terminal')
  t.match(stdout, /query=a=b/)

  const alter = (...args: string[]) => replog('catalogs', 'alter', url, 'shop', ...args)
  t.match(await alter('--comment', '', '--option', 'tier=tin', '--drop-option', 'query'), {
    code: 0,
    stdout: 'changed\n',
  })
  t.match(await listed(), [{}, { comment: '', options: { tier: 'tin' } }])
  t.match(await alter('--option', 'tier=tin'), { code: 0, stdout: 'it was like that already\n' })
  t.match(await alter('--option', 'tier=', '--json'), { code: 0, stdout: '{"altered":true}\n' })
  t.match(await listed(), [{}, { options: { tier: '' } }])

  t.match(await alter(), { code: 2, stderr: /say what is to change/ })
  t.match(await alter('--option', 'tier'), { code: 2, stderr: /KEY=VALUE/ })
  t.match(await alter('--option', '=x'), { code: 2, stderr: /KEY=VALUE/ })
  t.match(await alter('--option', 'a=1', '--drop-option', 'a'), { code: 2, stderr: /both name "a"/ })
  t.match(await alter('--comment', 'x'.repeat(2000)), { code: 1, stderr: /INVALID_DEFINITION/ })
  t.match(await replog('catalogs', 'alter', url, 'nothing', '--comment', 'x'), { code: 1, stderr: /NOT_FOUND/ })
  t.match(await replog('catalogs', 'alter', url), { code: 2, stderr: /missing required argument 'name'/ })
})

t.test('what fails ends the command with its code; a run that was cut off goes on', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const { url } = serving
  t.match(await replog('catalogs', 'create', url, 'a', 'a'), { code: 1, stderr: /ALREADY_EXISTS/ })
  t.match(await replog('catalogs', 'create', url, ''), { code: 1, stderr: /INVALID_ARGUMENT/ })
  t.match(await replog('catalogs', 'drop', url, 'nothing'), { code: 1, stderr: /NOT_FOUND/ })
  t.match(await replog('catalogs', 'drop', url, 'local'), { code: 1, stderr: /there for good/ })
  await replog('catalogs', 'create', url, '--count', '7')
  const again = await replog('catalogs', 'create', url, '--count', '9', '--if-not-exists', '--table')
  t.match(again, { code: 0, stdout: /^2 created, 7 were there, in / })
  t.match((await replog('tables', url, '--catalog', 'catalog-1')).stdout, /items/, 'what was missing is made up for')
  t.match(await replog('catalogs', 'create', url), { code: 2, stderr: /name a catalog, or give --count/ })
  t.match(await replog('catalogs', 'create'), { code: 2, stderr: /missing required argument 'url'/ })
  t.match(await replog('catalogs', 'drop', url), { code: 2, stderr: /missing required argument 'names'/ })
  t.match(await replog('catalogs', 'create', url, '--cuont', '7'), { code: 2, stderr: /did you mean --count\?/ })
})

t.test('a server at a limit is waited for, not given up', async (t) => {
  const serving = await serve({ limits: { server: { requests: 3 } } })
  t.teardown(() => serving.close())
  const made = await replog('catalogs', 'create', serving.url, '--count', '20', '--concurrency', '10')
  t.match(made, { code: 0, stdout: /^20 created/ })
  t.ok(serving.primary.quotas.refused > 0, 'it was refused meanwhile')
})

t.test('numbered names sort as their numbers do', async (t) => {
  const names = numberedNames('c', 1000)
  t.same(names, [...names].sort())
  t.equal(names[9], 'c0010')
})

/** The limits that a command line asks for, or the message that refuses it. */
function limitsFrom(...args: readonly string[]): unknown {
  const command = addLimitFlags(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  try {
    command.parse(args, { from: 'user' })
    return limitOptions(command.opts())
  } catch (error) {
    return error instanceof Error ? error.message : error
  }
}

t.test('limits as flags: repeated or in a list, bytes with units, names checked against the table', async (t) => {
  t.same(limitsFrom(), {})
  t.same(
    limitsFrom('--limit', 'sessions=10', '--limit=stagedBytes=64MiB,cursors=none', '--catalog-limit', 'tables = 3'),
    { server: { sessions: 10, stagedBytes: 64 * 1024 * 1024, cursors: Infinity }, catalog: { tables: 3 } },
  )
  t.match(limitsFrom('--limit', 'sesions=10'), /did you mean "sessions"\?/)
  t.match(limitsFrom('--limit', 'tables=10'), /no limit "tables" of a server/)
  t.match(limitsFrom('--catalog-limit', 'transactionRows=9999999'), /from 1 to 1000000/)
  for (const text of ['sessions', 'sessions=', 'sessions=-1', 'sessions=1.5', 'sessions=1MB', '=1', '']) {
    t.match(limitsFrom('--limit', text), /NAME=VALUE/, text)
  }
  t.match(await replog('primary', '--data', 'x', '--limit', 'sesions=1'), { code: 2, stderr: /"sessions"/ })
})
