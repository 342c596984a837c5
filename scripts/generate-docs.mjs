/**
 * Writes the pages that are made from the code, and from the published results of benchmarks: `npm run docs`. A test
 * compares the pages with what this makes, so a code, a limit or a measured number cannot change without its page.
 *
 * Values come from the compiled build (pass another build folder as the argument), comments from the sources.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ROOT, exists } from './source-tree.mjs'

/** Unit of a limit: the first of these that its name has. Longer names first, where one holds another. */
const UNITS = new Map([
  ['CODE_POINTS', 'code points'],
  ['SCRUB_RATE', 'bytes per second'],
  ['CHAIN_SERVERS', 'servers'],
  ['LOG_HOLDERS', 'holders of the log'],
  ['SHARE', 'of the bound'],
  ['LEFT_BEHIND', 'holders'],
  ['MESSAGES', 'messages'],
  ['OUTSTANDING', 'messages'],
  ['SKIPS', 'transactions'],
  ['FILTERS', 'names'],
  ['RESTARTS', 'restarts'],
  ['SNAPSHOTS', 'copies'],
  ['PAGES', 'pages'],
  ['FLAWS', 'flaws'],
  ['KEYS_PER', 'keys'],
  ['ROUNDS', 'rounds'],
  ['READERS', 'streams'],
  ['SUBSCRIPTIONS', 'subscriptions'],
  ['WORKERS', 'workers'],
  ['BYTES', 'bytes'],
  ['MS', 'milliseconds'],
  ['LENGTH', 'characters'],
  ['PRECISION', 'digits'],
  ['LABELS', 'labels'],
  ['FRAMES', 'frames'],
  ['TRANSACTIONS', 'transactions'],
  ['STATEMENTS', 'statements'],
  ['ATTEMPTS', 'attempts'],
  ['INDEXES', 'indexes'],
  ['COLUMNS', 'columns'],
  ['ROWS', 'rows'],
  ['ENTRIES', 'entries'],
  ['FOLLOWERS', 'followers'],
  ['CONNECTIONS', 'connections'],
  ['TABLES', 'tables'],
  ['SCHEMAS', 'schemas'],
  ['CATALOGS', 'catalogs'],
  ['SEGMENTS', 'segments'],
  ['CHARACTERS', 'characters'],
  ['DEPTH', 'levels'],
  ['VALUES', 'values'],
  ['DIGITS', 'digits'],
  ['FILES', 'files'],
  ['JOBS', 'jobs'],
  ['LOCKS', 'locks'],
  ['READS', 'keys'],
  ['SAVEPOINTS', 'savepoints'],
  ['SESSIONS', 'sessions'],
  ['CURSORS', 'cursors'],
  ['REQUESTS', 'requests'],
  ['CONSTRAINTS', 'constraints'],
  ['NODES', 'nodes'],
  ['OPTIONS', 'options'],
  ['CHANGES', 'changes'],
  ['REPLICAS', 'replicas'],
])

const KIB = 1024
const MIB = 1024 * KIB

const MADE = '<!-- Made from the code by `npm run docs`; edit the source that it names. -->'

/** @param {string} text */
function cell(text) {
  return text.replaceAll('|', '\\|').replace(/\s+/g, ' ').trim()
}

/**
 * @param {Record<string, { status: number, retryable: boolean, meaning: string, nextStep: string }>} codes
 */
export function renderErrors(codes) {
  const rows = Object.entries(codes).map(
    ([code, { status, retryable, meaning, nextStep }]) =>
      `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${cell(meaning)} | ${cell(nextStep)} |`,
  )
  return `${MADE}
# Errors

Every fault that a user, a disk or a peer can cause is a \`ReplogError\` with one of these codes (source:
\`core/errors.ts\`). The code is the contract; the message that comes with it is for people and may change. Over HTTP it
is the \`code\` of a problem+json body (RFC 9457), with the status below. "Retry" says whether the same request may
succeed if it is sent again as it is.

| code | HTTP status | retry | what happened | what to do next |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

/** @param {string} name */
function unitOf(name) {
  const padded = `_${name}_`
  const unit = [...UNITS].find(([word]) => padded.includes(`_${word}_`))
  if (unit === undefined) throw new Error(`${name} does not say its unit; end it like _BYTES_MAX, _MS or _ROWS_MAX`)
  return unit[1]
}

/**
 * @param {number} value
 * @param {string} unit
 */
function readable(value, unit) {
  if (unit !== 'bytes' || value % KIB !== 0) return value.toLocaleString('en-US')
  return value % MIB === 0 ? `${value / MIB} MiB` : `${value / KIB} KiB`
}

/**
 * The comment directly above each exported constant. A constant without one of its own, directly below another,
 * belongs to the comment above both.
 * @param {string} source
 */
export function commentsOf(source) {
  /** @type {Map<string, string>} */
  const comments = new Map()
  let comment = ''
  let open = false
  for (const line of source.split('\n')) {
    const name = /^export const (\w+)/.exec(line)?.[1]
    if (line.startsWith('/**')) {
      comment = ''
      open = true
    }
    if (open) comment += ` ${line.replace(/^\/?\*+\/?|^ \*\/?/, '').replace('*/', '')}`
    if (line.includes('*/')) open = false
    if (name !== undefined) comments.set(name, comment.trim())
    else if (line.trim() === '') comment = ''
  }
  return comments
}

/**
 * @typedef {{
 *   unit: string, defaults: { server?: number, catalog?: number }, code?: string, bounds: string, effect: string
 * }} LimitEntry
 * @param {number | undefined} value
 * @param {string} unit
 */
function defaultText(value, unit) {
  if (value === undefined) return '–'
  return value === Infinity ? 'none' : readable(value, unit)
}

/** @param {Record<string, LimitEntry>} table */
function renderSettable(table) {
  return Object.entries(table)
    .map(([name, { unit, defaults, code, bounds, effect }]) =>
      [
        `| \`${name}\``,
        unit,
        defaultText(defaults.server, unit),
        defaultText(defaults.catalog, unit),
        code === undefined ? '–' : `\`${code}\``,
        cell(bounds),
        `${cell(effect)} |`,
      ].join(' | '),
    )
    .join('\n')
}

/**
 * @param {Record<string, unknown>} limits
 * @param {string} source text of the file that defines them
 * @param {Record<string, LimitEntry>} settable
 */
export function renderLimits(limits, source, settable) {
  const comments = commentsOf(source)
  // In the order of the source, where what belongs together stands together.
  const rows = [...comments].map(([name, comment]) => {
    const value = limits[name]
    if (typeof value !== 'number') throw new Error(`limit ${name} is not a number`)
    if (comment === '') throw new Error(`limit ${name} has no comment`)
    const unit = unitOf(name)
    return `| \`${name}\` | ${readable(value, unit)} | ${unit} | ${cell(comment)} |`
  })
  return `${MADE}
# Limits

Everything in replog has a bound. What exceeds one is refused with a code from [ERRORS.md](ERRORS.md), and nothing of it is
kept.

## Limits that you set

For the server as a whole, and for each catalog by itself (source: \`primary/limit-table.ts\`):
\`replog primary --limit NAME=VALUE --catalog-limit NAME=VALUE\`, or
\`Primary.open({ path, limits: { server: { NAME: VALUE }, catalog: { NAME: VALUE } } })\`. "none" is no limit, "–" that there is
none to set. Of what is measured one at a time (a transaction, a body) the lower of the two holds. An error has the members
\`limit\`, \`value\`, \`scope\` and \`catalog\`; over HTTP \`LIMIT\` is answered with 503 and \`Retry-After\`.

| limit | unit | server | each catalog | error | what it bounds | at the limit |
| --- | --- | --- | --- | --- | --- | --- |
${renderSettable(settable)}

## Fixed bounds

In the order of \`core/limits.ts\`; they are also the defaults above, and as far as those may be raised where other bounds
rest on them.

| limit | value | unit | what it bounds |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

/**
 * @typedef {{ flag: string, environment: string, description: string }} FlagDescription
 * @typedef {{ name: string, summary: string, usage: string, flags: FlagDescription[] }} VerbDescription
 * @param {VerbDescription[]} verbs
 */
export function renderCommands(verbs) {
  const sections = verbs.map(({ name, summary, usage, flags }) => {
    const rows = flags.map(
      ({ flag, environment, description }) => `| \`${cell(flag)}\` | \`${environment}\` | ${cell(description)} |`,
    )
    const table =
      rows.length === 0 ? '' : `\n| flag | environment | meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n`
    return `## replog ${name}\n\n\`replog ${name} ${usage}\`: ${summary}.\n${table}`
  })
  return `${MADE}
# Commands

Every command also has \`--help\`. A flag on the command line wins over its environment variable. Exit codes: 0 ok, 1 failed,
2 wrong usage.

${sections.join('\n')}`
}

/** @param {{ name: string, help: string, type: string, labels: readonly string[] }[]} metrics */
export function renderMetrics(metrics) {
  const rows = metrics.map(
    ({ name, help, type, labels }) => `| \`${name}\` | ${type} | ${labels.join(', ')} | ${cell(help)} |`,
  )
  return `${MADE}
# Metrics

What \`/metrics\` shows in the text format of Prometheus, beside the default metrics of a Node process (source:
\`log/http/metrics.ts\`).

| metric | type | labels | meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

/** @param {{ paths?: Record<string, Record<string, { summary?: string, tags?: string[] }>> }} api */
export function renderRoutes(api) {
  const rows = Object.entries(api.paths ?? {}).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, { summary = '', tags = [] }]) =>
        `| \`${method.toUpperCase()} ${path}\` | ${tags.join(', ')} | ${cell(summary)} |`,
    ),
  )
  return `${MADE}
# HTTP routes

Of a primary; a replica has the same and refuses transactions and changes of catalogs with \`READ_ONLY_REPLICA\`. Parameters and bodies are described at
\`/openapi.json\`; refusals are problem+json with a code from [ERRORS.md](ERRORS.md). The replica link is a WebSocket at
\`/v1/log/stream\` (source: \`log/link/protocol.ts\`).

| route | about | does |
| --- | --- | --- |
${rows.join('\n')}
`
}

/**
 * The description of the API that a primary serves. Routes are only registered, so nothing stands behind them.
 * @param {(path: string) => Promise<any>} load
 */
async function describeApi(load) {
  const { createHttpServer } = await load('log/http/server.js')
  const { registerPrimaryRoutes } = await load('primary/http.js')
  const app = createHttpServer({}, { page: { html: '' } })
  registerPrimaryRoutes(app, {})
  await app.ready()
  const api = app.swagger()
  await app.close()
  return api
}

const RESULTS = 'docs/benchmarks'
const PLOTS = `${RESULTS}/plots`
const README_BEGIN = '<!-- benchmarks: made by `npm run docs` from docs/benchmarks/*.json -->'
const README_END = '<!-- end of benchmarks -->'

/**
 * Whatever the docs say of speed, from the published results; and the rows of the table that lack a note.
 * @param {(path: string) => Promise<any>} load
 */
export async function renderBenchmarks(load) {
  const { publishedPages, publishedResult } = await load('tools/bench/published/pages.js')
  const folder = join(ROOT, RESULTS)
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.replace(/\.json$/, ''))
    .sort()
  const results = names.map((name) => publishedResult(name, readFileSync(join(folder, `${name}.json`), 'utf8')))
  const { page, readme, details, plots, unexplained, needless } = publishedPages(
    results,
    readFileSync(join(folder, 'notes.md'), 'utf8'),
  )
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const [begin, end] = [text.indexOf(README_BEGIN), text.indexOf(README_END)]
  if (begin < 0 || end < begin) throw new Error(`README.md lacks the lines ${README_BEGIN} and ${README_END}`)
  return {
    unexplained,
    needless,
    pages: new Map([
      ['docs/BENCHMARKS.md', page],
      ['README.md', `${text.slice(0, begin + README_BEGIN.length)}\n\n${readme}\n\n${text.slice(end)}`],
      ...[...details].map(([name, text]) => /** @type {[string, string]} */ ([`${RESULTS}/${name}`, text])),
      ...[...plots].map(([name, svg]) => /** @type {[string, string]} */ ([`${PLOTS}/${name}`, svg])),
    ]),
  }
}

/**
 * Plots that no result has any more, by their path.
 * @param {Map<string, string>} pages
 */
export function stalePlots(pages) {
  if (!exists(join(ROOT, PLOTS))) return []
  return readdirSync(join(ROOT, PLOTS))
    .map((name) => `${PLOTS}/${name}`)
    .filter((path) => !pages.has(path))
}

/**
 * Loads compiled modules by their path in the build.
 * @param {string} build
 * @returns {(path: string) => Promise<any>}
 */
export function loaderOf(build) {
  return (path) => import(pathToFileURL(join(build, path)).href)
}

/**
 * Every page that is made from the code or from published results, by its path.
 * @param {string} build absolute path of the compiled build
 * @returns {Promise<Map<string, string>>}
 */
export async function renderDocs(build) {
  const load = loaderOf(build)
  const { ERROR_CODES } = await load('core/errors.js')
  const limits = await load('core/limits.js')
  const { LIMITS } = await load('primary/limit-table.js')
  const { describeVerbs } = await load('tools/dispatch.js')
  const { METRIC_DESCRIPTIONS } = await load('log/http/metrics.js')
  const { pages } = await renderBenchmarks(load)
  return new Map([
    ...pages,
    ['docs/COMMANDS.md', renderCommands(await describeVerbs())],
    ['docs/HTTP.md', renderRoutes(await describeApi(load))],
    ['docs/METRICS.md', renderMetrics(METRIC_DESCRIPTIONS)],
    ['docs/ERRORS.md', renderErrors(ERROR_CODES)],
    ['docs/LIMITS.md', renderLimits(limits, readFileSync(join(ROOT, 'core', 'limits.ts'), 'utf8'), LIMITS)],
  ])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const pages = await renderDocs(join(ROOT, process.argv[2] ?? 'build'))
  for (const path of stalePlots(pages)) rmSync(join(ROOT, path))
  for (const [path, text] of pages) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true })
    writeFileSync(join(ROOT, path), text)
  }
}
