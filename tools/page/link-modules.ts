/**
 * Makes one script of the page's modules, so that the document is complete in itself and its content security policy
 * names one hash.
 *
 *   module  := (() => { imports body; return { exports } })()
 *   imports := const { names } = modules["file.js"]
 *
 * It knows the forms that the compiler writes of our own sources (named imports of a file beside, exported declarations)
 * and refuses every other: what it does not understand must not reach a browser.
 */
import assert from 'node:assert/strict'

const IMPORT = /^import \{([^}]*)\} from '\.\/([\w-]+\.js)';?$/gm
const EXPORT = /^export (?=(?:async )?(?:const|let|function|class) (\w+))/gm
const NO_EXPORTS = /^export \{\};?$/gm
const SOURCE_MAP = /^\/\/# sourceMappingURL=.*$/gm

/**
 * @param entry file name of the module that starts the rest
 * @param read the text of a module, by its file name
 */
export function linkModules(entry: string, read: (file: string) => string): string {
  const linked = new Map<string, string>()
  const open = new Set<string>()

  function add(file: string): void {
    if (linked.has(file)) return
    assert(!open.has(file), `${file} is imported in a circle`)
    open.add(file)
    const text = read(file).replace(SOURCE_MAP, '').replace(NO_EXPORTS, '')
    for (const [, , imported] of text.matchAll(IMPORT)) add(imported!)
    const names = [...text.matchAll(EXPORT)].map(([, name]) => name!)
    const body = text
      .replace(IMPORT, (_import, imports: string, imported: string) => {
        return `const {${imports.replace(/ as /g, ': ')}} = modules['${imported}'];`
      })
      .replace(EXPORT, '')
    assert(!/^(import|export)\b/m.test(body), `${file} imports or exports in a form that cannot be linked`)
    linked.set(file, `modules['${file}'] = (() => {\n${body.trim()}\nreturn { ${names.join(', ')} };\n})();\n`)
  }

  add(entry)
  const script = `const modules = {};\n${[...linked.values()].join('')}`
  assert(!/<\/script|<!--/i.test(script), 'the script would end before its end')
  return script
}
