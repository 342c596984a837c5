/** Every public symbol has a docstring, from which `npm run api` makes the reference. */
import t from 'tap'
import { publicSymbols } from './public-symbols.js'
import { repositoryText } from './repository.js'

const FILES: Readonly<Record<string, string>> = {
  'index.ts': `export { A, type B as C } from './a/a.js'\nexport type { D } from './d.js'\nexport { VALUE } from './d.js'\n`,
  'a/a.ts': [
    `import { Base } from '../d.js'`,
    `/** A. */`,
    `export class A extends Base {`,
    `  told(): void {}`,
    `  /** Said of one overload. */`,
    `  over(a: string): void`,
    `  over(a: unknown): void {}`,
    `  #hidden(): void {}`,
    `  protected kept(): void {}`,
    `}`,
    `export interface B {}`,
  ].join('\n'),
  'd.ts': [
    `/** The head of the file. */`,
    ``,
    `export class Base {`,
    `  /** Told. */`,
    `  get of(): number { return 1 }`,
    `}`,
    `export type { E as D } from './e.js'`,
    `/** A value. */`,
    `export const VALUE = 1`,
  ].join('\n'),
  'e.ts': `// No docstring.\nexport type E = string\n`,
}

t.test('symbols are found through re-exports and classes that are extended, with or without docstrings', async (t) => {
  const symbols = publicSymbols('index.ts', (path) => FILES[path] ?? '')
  t.same(
    symbols.map(({ name, hasDocstring }) => `${name}: ${hasDocstring}`),
    [
      'A (a/a.ts): true',
      'A.told (a/a.ts): false',
      'A.over (a/a.ts): true',
      'Base.of (d.ts): true',
      'C (a/a.ts): false',
      'D (e.ts): false',
      'VALUE (d.ts): true',
    ],
  )
  const lost = (path: string): string => (path === 'index.ts' ? `export { X } from './x.js'` : '')
  t.throws(() => publicSymbols('index.ts', lost), /exports X, whose declaration is not found/)
})

for (const entry of ['index.ts', 'tools/client/client.ts', 'tools/level/replog-level.ts']) {
  t.test(`every public symbol of ${entry} has a docstring`, async (t) => {
    const symbols = publicSymbols(entry, repositoryText)
    t.ok(symbols.length > 15)
    t.same(
      symbols.filter(({ hasDocstring }) => !hasDocstring).map(({ name }) => name),
      [],
    )
  })
}
