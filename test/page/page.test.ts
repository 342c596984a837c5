/** The document of the status page: complete in itself, and exactly what its policy lets run. */
import { createHash } from 'node:crypto'
import { Script } from 'node:vm'
import t from 'tap'
import { linkModules } from '../../tools/page/link-modules.js'
import { statusPage } from '../../tools/page/page.js'

function hashOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`
}

function onlyElement(html: string, tag: string): string {
  const found = [...html.matchAll(new RegExp(`<${tag}\\b[^>]*>([^]*?)</${tag}>`, 'g'))]
  t.equal(found.length, 1, `one ${tag}`)
  return found[0]![1]!
}

function link(modules: Readonly<Record<string, string>>): string {
  return linkModules('main.js', (file) => {
    const text = modules[file]
    if (text === undefined) throw new RangeError(`no ${file}`)
    return text
  })
}

t.test('the policy names the one script and the one style of the document and nothing looser', async (t) => {
  const { html, contentSecurityPolicy } = statusPage()
  const directives = new Map(contentSecurityPolicy.split('; ').map((text) => [text.split(' ')[0], text]))
  t.equal(directives.get('default-src'), "default-src 'none'")
  t.equal(directives.get('script-src'), `script-src ${hashOf(onlyElement(html, 'script'))}`)
  t.equal(directives.get('style-src'), `style-src ${hashOf(onlyElement(html, 'style'))}`)
  t.equal(directives.get('connect-src'), "connect-src 'self' http://127.0.0.1:* http://localhost:*")
  t.notMatch(contentSecurityPolicy, /unsafe/)
})

t.test('the document loads nothing from elsewhere and has no handlers or styles in its markup', async (t) => {
  const { html } = statusPage()
  const markup = html.replace(/<(script|style)\b[^]*?<\/\1>/g, '')
  t.notMatch(markup, /\b(src|srcset)=/)
  t.same(markup.match(/\bhref="[^"]*"/g), ['href="data:,"'])
  t.notMatch(markup, /\son\w+=|\sstyle=/)
})

t.test('the script of the page compiles', async (t) => {
  t.doesNotThrow(() => new Script(onlyElement(statusPage().html, 'script')))
})

t.test('modules are linked in the order of their imports, each with names of its own', async (t) => {
  const script = link({
    'main.js': `import { a } from './a.js';\nimport { twice as double } from './b.js';\nglobalThis.result = double(a());\n`,
    'a.js': `import { twice } from './b.js';\nconst hidden = 3;\nexport function a() { return twice(hidden); }\n`,
    'b.js': `const hidden = 2;\nexport const twice = (value) => value * hidden;\n//# sourceMappingURL=b.js.map`,
  })
  const result: unknown = new Script(`${script}; globalThis.result`).runInNewContext()
  t.equal(result, 12)
  t.notMatch(script, /sourceMappingURL/)
})

const REFUSED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'an import from another folder': { 'main.js': `import { a } from '../a.js';` },
  'an import of a package': { 'main.js': `import { a } from 'ws';` },
  'a default import': { 'main.js': `import a from './a.js';`, 'a.js': '' },
  'an export list': { 'main.js': `const a = 1;\nexport { a };` },
  'a default export': { 'main.js': `export default 1;` },
  'a circle': { 'main.js': `import { a } from './a.js';`, 'a.js': `import { b } from './main.js';` },
  'the end of a script element': { 'main.js': `const a = '</script>';` },
}

for (const [what, modules] of Object.entries(REFUSED)) {
  t.test(`${what} cannot be linked`, async (t) => {
    t.throws(() => link(modules), { code: 'ERR_ASSERTION' })
  })
}
