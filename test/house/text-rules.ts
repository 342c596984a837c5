/**
 * What no file of ours may contain, as patterns, and the check of a text against them. Pure, so that the rules can be
 * tested on text that breaks them.
 */

interface TextRule {
  readonly what: string
  readonly pattern: RegExp
  /** True when the rule is about sources only, and not about prose. */
  readonly inSources?: boolean
  /** Where it is what the file is for. */
  readonly except?: RegExp
}

const SOURCE = /\.(ts|js|mjs|proto|html|css|json|ya?ml)$|^\.ci\/|^\.taprc$/

/** Not written by us line by line, or bound to name what is forbidden: this file and its test. */
const NOT_SOURCES = new Set(['package-lock.json', 'test/house/text-rules.ts', 'test/house/text.test.ts'])

const RULES: readonly TextRule[] = [
  { what: 'a path of one machine', pattern: /(?<![\w.}@~/-])\/(work|root|tmp|home)\// },
  {
    what: 'the host of a package registry',
    pattern: /registry\.(npmjs|yarnpkg|npmmirror)\b|^\s*"resolved":|^registry\s*=/,
  },
  { what: 'a mark of unfinished work', pattern: /\b(TODO|FIXME|XXX|HACK)\b/, inSources: true },
  { what: 'a mark of unfinished work', pattern: /\bfor now\b/i, inSources: true },
  { what: 'a check switched off', pattern: /@ts-(ignore|nocheck)|eslint-disable/, inSources: true },
  // Tests of types say what must not compile.
  { what: 'a check switched off', pattern: /@ts-expect-error/, inSources: true, except: /^test\/.*\.types\.ts$/ },
  { what: 'a check switched off', pattern: /prettier-ignore|\b(c8|v8|istanbul) ignore\b/, inSources: true },
  { what: 'a test that runs alone', pattern: /\b\w+\.only\(/, inSources: true },
  { what: 'a type given up', pattern: /\bas any(?=\s*[;,)\].}]|\s*$)/, inSources: true },
]

/** What in a file breaks the rules, as "path:line: what it is: the text". */
export function textViolations(path: string, text: string): string[] {
  const isSource = SOURCE.test(path) && !NOT_SOURCES.has(path)
  const rules = RULES.filter(({ inSources, except }) => (isSource || inSources !== true) && !except?.test(path))
  return text
    .split('\n')
    .flatMap((line, index) =>
      rules
        .filter(({ pattern }) => pattern.test(line))
        .map(({ what }) => `${path}:${index + 1}: ${what}: ${line.trim()}`),
    )
}
