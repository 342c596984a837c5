/**
 * The pages that are made from published results say what the results say: nothing that is not in them, and nothing of
 * what was not measured.
 */
import t from 'tap'
import type { AnyReport } from '../../tools/bench/all/kinds.js'
import type { CatalogReport } from '../../tools/bench/catalog-benchmark.js'
import type { ApplyReport } from '../../tools/bench/apply/report.js'
import { type PublishedPages, publishedPages, publishedResult } from '../../tools/bench/published/pages.js'
import { escaped, storyMarkdown } from '../../tools/bench/published/markdown.js'
import type { PublishedResult } from '../../tools/bench/published/results.js'
import { TARGETS } from '../../tools/bench/published/targets.js'
import type { Spread } from '../../tools/bench/samples.js'
import { tableRows } from '../house/markdown.js'
import { repositoryText } from '../house/repository.js'

function spread(median: number): Spread {
  return { median, min: median, max: median }
}

function apply(ratio: number): ApplyReport & { readonly command: string } {
  const side = (throughput: number) => ({ throughput: spread(throughput), cpuUsPerTransaction: spread(5) })
  return {
    benchmark: 'apply',
    measuredAt: '2026-01-02T03:04:05.678Z',
    command: 'replog bench apply --profile full',
    machine: { processors: 2, memoryGiB: 24, platform: 'linux x64', node: 'v20.0.0', replog: '0.1.0' },
    device: { name: '/dev/disk', fileSystem: 'ext4', mountOptions: '' },
    loadAverage: { before: 0, after: 1 },
    settings: { transactions: 1000, committers: 10, rowBytes: 100, repetitions: 1 },
    commit: side(100_000),
    replica: { ...side(100_000 * ratio), primaryCpuUsPerTransaction: spread(1), syncsPerTransaction: 0.001 },
    applier: { ...side(222_222), syncsPerTransaction: 0.001 },
    ratio: { replica: spread(ratio), applier: spread(2.222) },
  }
}

function result(name: string, report: AnyReport): PublishedResult {
  return publishedResult(name, JSON.stringify(report))
}

/** The row of the table, by the first words of what it is about. */
function rowOf({ page }: PublishedPages, what: string): readonly string[] {
  return tableRows(page).find(([first = '']) => first.startsWith(what))!
}

const APPLY_ROW = 'replica apply against'

t.test('without a result every row says so, and nothing fails', async (t) => {
  const pages = publishedPages([], '')
  const rows = tableRows(pages.page)
  t.equal(rows.length, TARGETS.length)
  for (const [what = '', , measured, met, from] of rows)
    t.same([measured, met, from], ['not measured yet', '–', '–'], what)
  t.same([pages.unexplained, pages.needless, pages.plots.size], [[], [], 0])
  t.equal(new Set(TARGETS.map(({ id }) => id)).size, TARGETS.length, 'each row has an id of its own')
})

t.test('a row says what was measured, whether it is enough, and in which file that stands', async (t) => {
  const pages = publishedPages([result('apply-here', apply(1.6))], '')
  const [, atLeast, measured, met, from] = rowOf(pages, APPLY_ROW)
  t.equal(atLeast, '1.5 ×')
  t.equal(measured, '1.6 × over a socket (160,000 and 100,000 transactions/s), 2.222 × by the applier alone')
  t.same([met, from], ['yes', '[apply-here.json](benchmarks/apply-here.json)'])
  t.same(pages.unexplained, [])
  t.match(pages.page, '`npx replog bench apply --profile full`, 2026-01-02, on 2 processors, 24 GiB')
  t.match(pages.readme, '](docs/benchmarks/apply-here.json)')
})

t.test('a row that is not met needs a note, and its note stands on the page', async (t) => {
  const results = [result('apply', apply(1.4))]
  const without = publishedPages(results, '# Notes\n\nAbout them.\n')
  t.equal(rowOf(without, APPLY_ROW)[3], '**no**')
  t.same(without.unexplained, ['apply'])
  t.match(without.page, 'write `## apply` in docs/benchmarks/notes.md')
  const notes = '# Notes\n\n## apply\n\nThe disk is the limit.\n\nTwo were tried.\n\n## log\n\nOf nothing.\n'
  const explained = publishedPages(results, notes)
  t.same([explained.unexplained, explained.needless], [[], ['log']])
  t.match(
    explained.page,
    "### replica apply against the primary's commit rate\n\nThe disk is the limit.\n\nTwo were tried.\n",
  )
  t.same(publishedPages([result('apply', apply(1.5))], notes).needless, ['apply', 'log'], 'it is met by now')
})

t.test('of several results of one benchmark the first by name counts, and each has its plots', async (t) => {
  const pages = publishedPages([result('apply-a', apply(2)), result('apply-b', apply(1))], '')
  t.match(rowOf(pages, APPLY_ROW)[2], /^2 ×/)
  t.same([...pages.plots.keys()], ['apply-a-apply-throughput.svg', 'apply-b-apply-throughput.svg'])
  for (const file of pages.plots.keys()) t.match(pages.page, `](benchmarks/plots/${file})`)
  t.match(pages.readme, '](docs/benchmarks/plots/apply-a-apply-throughput.svg)')
  t.notMatch(pages.readme, 'apply-b')
})

t.test('a result that is told elsewhere is only linked; what is none is refused by name', async (t) => {
  const { page } = publishedPages([result('others', { benchmark: 'another' })], '')
  t.match(page, '[others](benchmarks/others.md): [others.json](benchmarks/others.json)')
  t.throws(() => publishedResult('x', '{}'), { message: 'docs/benchmarks/x.json is no result of a benchmark' })
})

t.test('many catalogs have a page and a line of their own, made from their result', async (t) => {
  const published = publishedResult('catalogs', repositoryText('docs/benchmarks/catalogs.json'))
  const { details, readme } = publishedPages([published], '')
  const report = published.report as unknown as CatalogReport
  t.match(details.get('catalogs.md'), `**Opened** in ${report.open.withCatalogsMs} ms`)
  t.match(details.get('catalogs.md'), `| write | ${report.write.first.medianMs} | ${report.write.first.p99Ms} |`)
  t.match(readme, `opens in ${report.open.withCatalogsMs} ms (${report.open.emptyMs} ms without them)`)
  const other = { ...published, report: { ...report, open: { emptyMs: 1, withCatalogsMs: 987 } } }
  t.match(publishedPages([other], '').readme, 'opens in 987 ms (1 ms without them)')
})

t.test('rows judge by the figures that they are about', async (t) => {
  const commitCell = (series: string, committers: number, throughput: number, ratio: number | null) => ({
    ...{ series, committers, transactions: 10, throughput: spread(throughput), cpuUsPerTransaction: spread(1) },
    ...{ p50Ms: 1, p99Ms: 2, syncs: 1, syncsPerTransaction: committers === 1 ? 1 : 0.002 },
    bytesPerTransaction: { handed: null, toFiles: 1, toDevice: 1, onDisk: 1 },
    ...{ writeAmplification: 1, spaceAmplification: 1, cpuRatioToCeiling: null },
    ratioToCeiling: ratio === null ? null : spread(ratio),
  })
  const { machine, device, loadAverage, measuredAt } = apply(1)
  const commit = (throughput: number, ratio: number): PublishedResult =>
    result('commit', {
      benchmark: 'commit',
      ...{ machine, device, loadAverage, measuredAt },
      settings: { committers: [1, 1000], transactionsMax: 10, rowBytes: 100, repetitions: 1, heapFlags: [] },
      proof: { notTraced: null, cells: [] },
      cells: [
        commitCell('one-shot', 1, 3000, 0.95),
        commitCell('ceiling', 1, 3200, null),
        commitCell('one-shot', 1000, throughput, ratio),
        commitCell('ceiling', 1000, 300_000, null),
      ],
    } as AnyReport)
  const metOf = (results: readonly PublishedResult[], id: string): boolean | null | undefined =>
    TARGETS.find((target) => target.id === id)!.judge(results)?.met
  for (const [throughput, ratio, met] of [
    [100_000, 0.5, true],
    [99_999, 0.9, false],
    [200_000, 0.49, false],
  ] as const) {
    t.equal(metOf([commit(throughput, ratio)], 'embedded-1000'), met, `${throughput}, ${ratio}`)
  }
  t.equal(metOf([commit(1, 1)], 'embedded-1'), true)
  t.equal(metOf([commit(1, 1)], 'syncs'), true)
  const point = (clients: number, runsPerSecond: number, p99Ms: number, appliedAfterMs: number) => ({
    ...{ clients, runs: clients === 1000 ? 23_000_000 : 1, runsPerSecond, appliedAfterMs, problems: [] },
    delay: { p99Ms },
  })
  const blades = (points: readonly object[], ratio = 12): PublishedResult => ({
    name: 'rotating-blades',
    report: {
      benchmark: 'rotating-blades',
      ...{ points, settings: { peerReplica: false } },
      ratios: [{ peer: 'mariadb', clients: 1000, ratio, runsPerSecond: 12, peerRunsPerSecond: 1 }],
    } as AnyReport,
  })
  t.equal(metOf([blades([point(1000, 100, 249, 1000), point(8000, 70, 10, 10)])], 'blades-8000'), true)
  t.equal(metOf([blades([point(1000, 100, 249, 1000), point(8000, 69, 10, 10)])], 'blades-8000'), false)
  t.equal(metOf([blades([point(1000, 100, 249, 1000)])], 'blades-8000'), undefined, 'one of both is missing')
  t.equal(metOf([blades([point(1000, 100, 249, 1000)])], 'replica-delay'), true)
  t.equal(metOf([blades([point(1000, 100, 250, 10)])], 'replica-delay'), false)
  t.equal(
    metOf([blades([point(1000, 100, 24, 10), point(8000, 9, 24, 1001)])], 'replica-delay'),
    false,
    'the worst counts',
  )
  t.equal(metOf([blades([], 9.99)], 'blades-peer'), false)
  t.equal(metOf([blades([point(1000, 100, 1, 1)])], 'blades-full'), true)
  const remote = (...ratios: readonly (readonly [string, number, number])[]): PublishedResult => ({
    name: 'commit-remote',
    report: {
      benchmark: 'commit-remote',
      ratios: ratios.map(([peer, clients, ratio]) => ({ peer, clients, ratio: spread(ratio) })),
    } as AnyReport,
  })
  t.equal(metOf([remote(['mariadb', 64, 3], ['postgres', 64, 1.5])], 'sessions-64'), true)
  t.equal(metOf([remote(['mariadb', 64, 3], ['postgres', 64, 1.4])], 'sessions-64'), false, 'the better one counts')
  t.equal(metOf([remote(['mariadb', 64, 3])], 'sessions-64'), undefined, 'one alone may not be the better one')
  t.equal(metOf([remote(['mariadb', 1, 0.1], ['postgres', 1, 0.8])], 'sessions-1'), true)
  const open = (transactions: number, commitP50Ms: number, openMs: number): PublishedResult => ({
    name: 'open',
    report: {
      benchmark: 'open',
      points: [{ transactions, ratioToFirst: { commitP50Ms, openMs, programMs: 9, openAfterKillMs: 9 } }],
    } as AnyReport,
  })
  t.equal(metOf([open(10_000_000, 1.25, 1.25)], 'growth'), true)
  t.equal(metOf([open(10_000_000, 1.26, 1)], 'growth'), false)
  t.equal(metOf([open(10_000_000, 1, 1.26)], 'growth'), false)
  t.equal(metOf([open(1_000_000, 1, 1)], 'growth'), undefined, 'a shorter log is not what is asked')
})

t.test('text of results is text in Markdown', async (t) => {
  const story = [
    { heading: 'a | b' },
    { text: 'one_two *three* <b> [x](y)' },
    { lines: ['`x`', 'two\nlines'] },
    { lines: [] },
    {
      table: [
        ['h', ''],
        ['x|y', ''],
      ],
    },
    { plot: { name: 'p', svg: '<svg/>' } },
  ]
  t.equal(
    storyMarkdown(story, ({ name }) => `plots/${name}.svg`),
    [
      '### a \\| b',
      'one\\_two \\*three\\* \\<b> \\[x\\](y)',
      '- \\`x\\`\n- two lines',
      '| h |   |\n| --- | --- |\n| x\\|y |   |',
      '![p](plots/p.svg)',
    ].join('\n\n'),
  )
  t.equal(escaped('a\\b'), 'a\\\\b')
})
