/**
 * Says how much of the product the tests ran. A source file that no test loads is in no coverage report of tap's, which
 * would flatter the figure, so its lines count here as not run and it is named.
 */
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { COVERAGE_SUMMARY } from './run-tap.mjs'
import { ROOT, buildInputs, exists, isCompiled } from './source-tree.mjs'

/** Most files named that no test loads. */
const NAMED_MAX = 10

/** @typedef {{ total: number, covered: number }} Lines */

/**
 * True when the file compiles to nothing but types.
 * @param {string} source
 */
function isTypesOnly(source) {
  const output = readFileSync(join(ROOT, 'build', source.replace(/\.ts$/, '.js')), 'utf8')
  return output.replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '').trim() === 'export {};'
}

/** Text of the figures of the last run; a line each. */
export function coverageLines() {
  if (!exists(COVERAGE_SUMMARY)) return ['not measured']
  /** @type {Record<string, { lines: Lines }>} */
  const { total: _total, ...summary } = JSON.parse(readFileSync(COVERAGE_SUMMARY, 'utf8'))
  const byFile = new Map(Object.entries(summary).map(([path, { lines }]) => [relative(ROOT, path), lines]))
  const unloaded = buildInputs().filter(
    (source) => isCompiled(source) && !source.startsWith('test/') && !byFile.has(source) && !isTypesOnly(source),
  )
  for (const source of unloaded) {
    byFile.set(source, { total: readFileSync(join(ROOT, source), 'utf8').split('\n').length - 1, covered: 0 })
  }
  const sum = (/** @type {keyof Lines} */ part) => [...byFile.values()].reduce((all, lines) => all + lines[part], 0)
  const share = sum('total') === 0 ? 0 : (100 * sum('covered')) / sum('total')
  const lines = [
    `${share.toFixed(1)} % of ${sum('total')} lines in ${byFile.size} files (by file: npx tap report text)`,
  ]
  if (unloaded.length > 0) {
    const more = unloaded.length > NAMED_MAX ? ` and ${unloaded.length - NAMED_MAX} more` : ''
    lines.push(`no test loads: ${unloaded.slice(0, NAMED_MAX).join(', ')}${more}`)
  }
  return lines
}
