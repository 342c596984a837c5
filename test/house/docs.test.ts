/**
 * Docs and code say the same, both ways. Pages made from the code equal what the code makes today; and, read on their
 * own, pages and code name the same things: what the code has is in the docs, what the docs name is in the code.
 *
 * Adding a pair (routes, flags, metrics) is one entry of `PAIRS`.
 */
import t from 'tap'
import { ERROR_CODES } from '../../core/errors.js'
import * as limits from '../../core/limits.js'
import { LIMITS, type LimitEntry } from '../../primary/limit-table.js'
import { benchmarkNotes, generatedDocs, stalePlots } from './generated-docs.js'
import { tableRows } from './markdown.js'
import { repositoryText } from './repository.js'

interface Pair {
  readonly what: string
  /** One line of text for each thing in the code, with what the docs must say of it. */
  readonly inCode: () => string[]
  /** The same lines, read from the docs. */
  readonly inDocs: () => string[]
}

const PAIRS: readonly Pair[] = [
  {
    what: 'error codes with their HTTP status, retry advice, meaning and next step',
    inCode: () =>
      Object.entries(ERROR_CODES).map(([code, { status, retryable, meaning, nextStep }]) =>
        [code, status, retryable ? 'yes' : 'no', meaning, nextStep].join(' · '),
      ),
    inDocs: () => tableRows(repositoryText('docs/ERRORS.md')).map((cells) => cells.join(' · ')),
  },
  {
    what: 'fixed bounds with their values',
    inCode: () => Object.entries(limits).map(([name, value]) => `${name} = ${value}`),
    inDocs: () =>
      tableRows(repositoryText('docs/LIMITS.md'))
        .filter((cells) => cells.length === FIXED_BOUND_CELLS)
        .map(([name = '', value = '']) => `${name} = ${numberIn(value)}`),
  },
  {
    what: 'limits that may be set, with the default and the error in each scope',
    inCode: () =>
      Object.entries<LimitEntry>(LIMITS).map(([name, { unit, defaults, code }]) =>
        [name, unit, defaults.server, defaults.catalog, code].join(' · '),
      ),
    inDocs: () =>
      tableRows(repositoryText('docs/LIMITS.md'))
        .filter((cells) => cells.length !== FIXED_BOUND_CELLS)
        .map(([name, unit, server = '', catalog = '', code]) =>
          [name, unit, numberIn(server), numberIn(catalog), code === '–' ? undefined : code].join(' · '),
        ),
  },
]

const FIXED_BOUND_CELLS = 4

/** "4 KiB" → 4096, "none" → Infinity, "–" → undefined. */
function numberIn(text: string): number | undefined {
  if (text === '–') return undefined
  if (text === 'none') return Infinity
  const [digits = '', unit = ''] = text.split(' ')
  const factors: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 * 1024 }
  return Number(digits.replaceAll(',', '')) * (factors[unit] ?? NaN)
}

t.test('pages made from the code and from published results are what is made today (npm run docs)', async (t) => {
  for (const [path, text] of await generatedDocs()) t.equal(repositoryText(path), text, path)
  t.same(await stalePlots(), [], 'no plot is left of a result that is gone')
})

t.test('whatever benchmarks do not reach is explained, and nothing else', async (t) => {
  const { unexplained, needless } = await benchmarkNotes()
  t.same(unexplained, [], 'write a heading for each in docs/benchmarks/notes.md')
  t.same(needless, [], 'take these notes away')
})

for (const { what, inCode, inDocs } of PAIRS) {
  t.test(`docs and code name the same ${what}`, async (t) => {
    const [code, docs] = [inCode(), inDocs()]
    t.ok(code.length > 0, 'there is something to compare')
    t.equal(new Set(docs).size, docs.length, 'nothing stands in the docs twice')
    t.same(
      code.filter((line) => !docs.includes(line)),
      [],
      'all of the code is in the docs',
    )
    t.same(
      docs.filter((line) => !code.includes(line)),
      [],
      'all of the docs is in the code',
    )
  })
}
