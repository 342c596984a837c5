/** No file of ours names a machine, a registry or unfinished work, or switches a check off. */
import t from 'tap'
import { ourFiles, repositoryText } from './repository.js'
import { textViolations } from './text-rules.js'

/** Text that we write; what else lies in a working copy (logs, reports, data) is not ours to judge. */
const TEXT =
  /\.(ts|js|mjs|json|md|proto|html|css|ya?ml)$|^\.ci\/|^LICENSE$|(^|\/)\.[a-z]+(rc|ignore|config|attributes)$/

/** An absolute path, put together so that this file does not break the rule that it tests. */
function absolute(...parts: string[]): string {
  return ['', ...parts].join('/')
}

const REGISTRY = ['registry', 'npmjs', 'org'].join('.')

const BAD: readonly (readonly [string, string])[] = [
  ['core/a.ts', `const path = '${absolute('work', 'data')}'`],
  ['README.md', `cd ${absolute('root', 'replog')}`],
  ['log/a.ts', `open('${absolute('tmp', 'x')}')`],
  ['docs/A.md', `in ${absolute('home', 'me', 'replog')}`],
  ['package-lock.json', '      "resolved": "https://example.org/a.tgz",'],
  ['.npmrc', 'registry=https://example.org/'],
  ['README.md', `https://${REGISTRY}/replog`],
  ['core/a.ts', '// TODO: later'],
  ['log/codec/a.proto', '// FIXME'],
  ['tools/page/a.js', '// XXX'],
  ['core/a.ts', '// a HACK'],
  ['core/a.ts', '// Enough for now.'],
  ['core/a.ts', '// @ts-ignore'],
  ['core/a.ts', '// @ts-expect-error'],
  ['test/a.test.ts', '// @ts-expect-error a column that is not there'],
  ['test/a.types.ts', '// @ts-ignore'],
  ['core/a.ts', '// eslint-disable-next-line'],
  ['core/a.ts', '// prettier-ignore'],
  ['core/a.ts', '/* c8 ignore next */'],
  ['test/a.test.ts', `t.only('one', async () => {})`],
  ['core/a.ts', 'const a = (b as any).c'],
  ['core/a.ts', 'const a = b as any'],
]

const GOOD: readonly (readonly [string, string])[] = [
  ['test/a.test.ts', `import { tmpdir } from 'node:os'`],
  ['tools/a.ts', `import x from '../work/x.js'`],
  ['core/a.ts', '// the same as any other'],
  ['test/a.types.ts', '// @ts-expect-error a column that is not there'],
  ['log/metrics.ts', 'const registry = new Registry()'],
  ['README.md', 'https://example.org/root/page'],
]

for (const [path, text] of BAD) {
  t.test(`the check finds ${JSON.stringify(text)} in ${path}`, async (t) => {
    const found = textViolations(path, `first line\n${text}\nlast line\n`)
    t.equal(found.length, 1)
    t.match(found[0], `${path}:2: `)
  })
}

t.test('the check leaves ordinary text alone', async (t) => {
  for (const [path, text] of GOOD) t.same(textViolations(path, text), [], text)
})

t.test('no file of ours breaks the rules', async (t) => {
  const files = ourFiles().filter((path) => TEXT.test(path))
  t.ok(files.includes('package.json'))
  t.ok(files.includes('core/errors.ts'))
  t.ok(files.includes('.ci/run'))
  t.ok(files.includes('.taprc'))
  t.same(
    files.flatMap((path) => textViolations(path, repositoryText(path))),
    [],
  )
})
