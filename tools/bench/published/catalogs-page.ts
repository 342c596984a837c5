/** What the docs say of many catalogs on one server: docs/benchmarks/catalogs.md, and a line of README.md. */
import { formatCount } from '../../table-text.js'
import type { CatalogReport, Compared } from '../catalog-benchmark.js'
import { markdownTable } from './markdown.js'

const MADE = '<!-- Made by `npm run docs` from catalogs.json. -->'

export function catalogsPage(report: CatalogReport): string {
  const { catalogs, creation, open, memory, machine } = report
  return `${MADE}

# Many catalogs on one server

What ${formatCount(catalogs)} catalogs cost, each with one table and a row in it. Made by

\`\`\`sh
npx replog bench catalogs --json
\`\`\`

which runs a server as a process of its own, makes the catalogs over HTTP, opens the server again, and then sends requests over one
connection: by turns to a catalog chosen at random and to the first one. The full result is in [catalogs.json](catalogs.json). The
machine has ${machine.processors} processors and ${machine.memoryGiB} GiB of memory, and ran the client as well.

- **Made** in ${creation.seconds} s: ${formatCount(creation.catalogsPerSecond)} a second, a catalog and its table being two durable transactions.
- **Opened** in ${open.withCatalogsMs} ms, from the start of the process until it takes requests; ${open.emptyMs} ms without the catalogs.
- **Memory** while they are idle: ${formatCount(memory.bytesPerIdleCatalog)} bytes a catalog. Nothing of a catalog is loaded before it is used; this is what the
  process takes more after opening a larger store. A catalog that was used is remembered with ${formatCount(memory.bytesPerTouchedCatalog)} bytes, garbage of the
  requests included; how many are remembered is bounded.
- **Requests**, in milliseconds:

${markdownTable([
  ['request', 'first catalog, median', 'p99', 'random catalog, median', 'p99', 'ratio of medians', 'of p99'],
  row('read, first time since opening', report.firstRead),
  row('read', report.read),
  row('write', report.write),
])}

The first request to a catalog looks its names up in the store; from then on any of them is answered as the first one is. Writes
to random catalogs touch pages that writes to one catalog do not.
`
}

export function catalogsTable({ catalogs, open, memory, read }: CatalogReport): string {
  return markdownTable([
    ['what', 'figure', 'command'],
    [
      `${formatCount(catalogs)} catalogs on one server ([details](docs/benchmarks/catalogs.md))`,
      `opens in ${open.withCatalogsMs} ms (${open.emptyMs} ms without them); ${formatCount(memory.bytesPerIdleCatalog)} bytes of ` +
        `memory per idle catalog; a read in a random catalog takes ${read.ratio.median} times as long as in the first`,
      '`npx replog bench catalogs`',
    ],
  ])
}

function row(what: string, { first, random, ratio }: Compared): string[] {
  const values = [first.medianMs, first.p99Ms, random.medianMs, random.p99Ms, ratio.median, ratio.p99]
  return [what, ...values.map(String)]
}
