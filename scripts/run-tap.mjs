/**
 * Runs tap and says one line per test file, and everything about what failed. Counts the named tests of the files: a
 * file that breaks without a failing test (it does not load, it is killed, it times out) counts as one that failed.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { TAP } from './build-tap.mjs'
import { runNode } from './run-command.mjs'
import { ROOT } from './source-tree.mjs'

/** Where tap writes the coverage figures per source file. */
export const COVERAGE_SUMMARY = join(ROOT, '.tap', 'report', 'coverage-summary.json')

/** point := ["not "] "ok " number " - " name [" # time=" ms "ms"] [" # SKIP" reason] */
const POINT =
  /^(?<indent> *)(?<not>not )?ok \d+(?: - (?<name>.*?))?(?: # time=(?<ms>[\d.]+)ms)?(?: # (?<skip>SKIP.*))?$/

/**
 * A line of TAP that says how one test ended; undefined for every other line.
 * @param {string} line
 */
function pointIn(line) {
  const groups = POINT.exec(line)?.groups
  if (groups === undefined) return undefined
  const { indent = '', not, name = '', ms, skip } = groups
  return { indent: indent.length, ok: not === undefined, name, ms, skip: skip?.slice('SKIP'.length).trim() }
}

/**
 * @typedef {{ passed: number, failed: number, skipped: string[], files: number }} Counts
 * @typedef {{ name: string, lines: string[] }} FileOutput
 */

/**
 * The lines of a failing file without the tests in it that passed.
 * @param {string[]} lines
 */
function failingPart(lines) {
  /** @type {string[]} */
  const kept = []
  /** Where each open subtest starts in `kept`, by indent. @type {Map<number, number>} */
  const opened = new Map()
  for (const line of lines) {
    const header = /^( *)# Subtest/.exec(line)
    const point = pointIn(line)
    if (header?.[1] !== undefined) opened.set(header[1].length, kept.length)
    if (point !== undefined) {
      const start = opened.get(point.indent)
      opened.delete(point.indent)
      if (point.ok) {
        if (start !== undefined) kept.length = start
        continue
      }
    }
    if (line.trim() !== '' && !/^ *(1\.\.\d+|# time=.*)$/.test(line)) kept.push(line)
  }
  return kept
}

/**
 * Counts one finished file and says how it went.
 * @param {FileOutput} file
 * @param {{ ok: boolean, skip: string | undefined, ms: string | undefined }} result
 * @param {Counts} counts
 */
function report(file, { ok, skip, ms }, counts) {
  const tests = file.lines.map(pointIn).filter((point) => point !== undefined)
  const outer = tests.filter((test) => test.indent === 0)
  const failed = Math.max(outer.filter((test) => !test.ok).length, ok ? 0 : 1)
  const passed = outer.filter((test) => test.ok && test.skip === undefined).length
  counts.files += 1
  counts.passed += passed
  counts.failed += failed
  for (const test of tests) {
    if (test.skip !== undefined) counts.skipped.push(`${file.name}: ${test.name}: ${test.skip}`)
  }
  if (skip !== undefined) counts.skipped.push(`${file.name}: ${skip}`)
  const seconds = ms === undefined ? '' : ` ${(Number(ms) / 1000).toFixed(1)} s`
  console.log(
    `  ${ok ? 'ok  ' : 'FAIL'} ${file.name}: ${passed} passed${failed > 0 ? `, ${failed} failed` : ''}${seconds}`,
  )
  if (!ok) for (const line of failingPart(file.lines)) console.log(`       ${line}`)
}

/**
 * Runs tap over the given compiled test files, or over all of them.
 * @param {string[]} files relative to the repository
 * @param {{ coverage: boolean, env: NodeJS.ProcessEnv }} options
 * @returns {Promise<Counts>}
 */
export async function runTap(files, { coverage, env }) {
  /** @type {Counts} */
  const counts = { passed: 0, failed: 0, skipped: [], files: 0 }
  /** @type {FileOutput} */
  let file = { name: '', lines: [] }
  let inDiagnostic = false
  rmSync(COVERAGE_SUMMARY, { force: true })
  /** @param {string} line */
  const onLine = (line) => {
    if (inDiagnostic) {
      // Of the whole file only how it ended is of interest; what failed in it was said above.
      if (/^ {2}(exitCode|signal|expired|error|tapCaught):/.test(line) && !/: (null|1)$/.test(line))
        console.log(`     ${line}`)
      inDiagnostic = line !== '  ...'
      return
    }
    const point = line.startsWith(' ') ? undefined : pointIn(line)
    if (line.startsWith('# Subtest: ')) file = { name: line.slice('# Subtest: '.length), lines: [] }
    else if (line === '  ---') inDiagnostic = true
    else if (line.startsWith('    ')) file.lines.push(line.slice(4))
    else if (line.startsWith('Bail out!')) console.log(line)
    else if (point !== undefined) {
      const finished = file.name === point.name ? file : { name: point.name, lines: [] }
      report(finished, point, counts)
      file = { name: '', lines: [] }
    }
  }
  const flags = ['--reporter=tap', '--no-color', coverage ? '--coverage-report=json-summary' : '--disable-coverage']
  const ok = await runNode([TAP, 'run', ...flags, ...files], { onLine, stderr: 'inherit', env })
  if ((!ok || counts.files === 0) && counts.failed === 0) {
    console.log('  FAIL tap ran no test, or failed without one that did')
    counts.failed += 1
  }
  return counts
}
