/**
 * Compiles the sources: `node scripts/compile.mjs [--outDir DIR]`, DIR is `build` unless given.
 *
 * Invariant: after a successful compile the output folder holds the output of today's sources and nothing else, so a
 * test or module whose source was deleted or renamed cannot run on. Files that are not TypeScript (page, .proto) are
 * copied to the same relative place.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT, buildInputs, exists, filesBelow, isCompiled } from './source-tree.mjs'

const OUTPUT_EXTENSIONS = ['.js', '.js.map', '.d.ts']
const BUILD_INFO = '.tsbuildinfo'
const INPUTS = '.inputs.json'

/**
 * Output files, relative to the output folder, of an input.
 * @param {string} input
 */
function outputsOf(input) {
  if (isCompiled(input)) return OUTPUT_EXTENSIONS.map((extension) => input.replace(/\.ts$/, extension))
  return input.endsWith('.md') ? [] : [input]
}

/** What the build depends on, as text: equal text means equal build. */
function fingerprint() {
  const files = [...buildInputs(), 'tsconfig.json', 'package-lock.json']
  return JSON.stringify(
    files.map((file) => {
      const { size, mtimeMs } = statSync(join(ROOT, file))
      return [file, size, mtimeMs]
    }),
  )
}

/** @param {string} outDir */
function isFresh(outDir) {
  const path = join(ROOT, outDir, INPUTS)
  return exists(path) && readFileSync(path, 'utf8') === fingerprint() && !lacksOutput(outDir)
}

/** @param {string} outDir */
function lacksOutput(outDir) {
  return buildInputs().some((input) => outputsOf(input).some((output) => !exists(join(ROOT, outDir, output))))
}

/** @param {string} outDir */
function removeStale(outDir) {
  const wanted = new Set([BUILD_INFO, INPUTS, ...buildInputs().flatMap(outputsOf)])
  for (const file of filesBelow(join(ROOT, outDir), '')) {
    if (!wanted.has(file)) rmSync(join(ROOT, outDir, file))
  }
}

/** @param {string} outDir */
function copyAssets(outDir) {
  for (const input of buildInputs()) {
    if (isCompiled(input) || outputsOf(input).length === 0) continue
    mkdirSync(dirname(join(ROOT, outDir, input)), { recursive: true })
    copyFileSync(join(ROOT, input), join(ROOT, outDir, input))
  }
}

/** @param {string} outDir */
function makeCommandsExecutable(outDir) {
  /** @type {{ bin: Record<string, string> }} */
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  for (const command of Object.values(bin)) {
    const path = join(ROOT, command.replace(/^(\.\/)?build\//, `${outDir}/`))
    if (exists(path)) chmodSync(path, 0o755)
  }
}

/**
 * Runs the compiler and cleans up after it. True when there was no error.
 * @param {string} outDir relative to the repository
 */
export function compile(outDir) {
  const before = fingerprint()
  mkdirSync(join(ROOT, outDir), { recursive: true })
  rmSync(join(ROOT, outDir, INPUTS), { force: true })
  removeStale(outDir)
  // The incremental compiler does not notice when its output was deleted.
  if (lacksOutput(outDir)) rmSync(join(ROOT, outDir, BUILD_INFO), { force: true })
  const compiler = join('node_modules', 'typescript7', 'bin', 'tsc')
  const buildInfo = join(outDir, BUILD_INFO)
  const run = spawnSync(
    process.execPath,
    [compiler, '-p', 'tsconfig.json', '--outDir', outDir, '--tsBuildInfoFile', buildInfo],
    { cwd: ROOT, stdio: 'inherit' },
  )
  copyAssets(outDir)
  makeCommandsExecutable(outDir)
  if (run.status !== 0) return false
  writeFileSync(join(ROOT, outDir, INPUTS), before)
  return true
}

/** Compiles when a source is newer than the build or the build is missing. Stops the process on an error. */
export function compileWhenStale() {
  if (isFresh('build')) return
  console.log('Compiling …')
  if (compile('build')) return
  console.error('The sources do not compile; see the lines above.')
  process.exit(1)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [flag, outDir = 'build'] = process.argv.slice(2)
  if (flag !== undefined && flag !== '--outDir') {
    console.error(`Unknown argument ${flag}; usage: node scripts/compile.mjs [--outDir DIR]`)
    process.exit(2)
  }
  process.exitCode = compile(outDir) ? 0 : 1
}
