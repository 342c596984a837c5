/**
 * Child processes of `npm test`. All of them end when the script is told to end, so an interrupted run leaves no test
 * server behind.
 */
import { spawn } from 'node:child_process'
import { ROOT } from './source-tree.mjs'

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()

for (const [signal, exitCode] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])) {
  process.on(signal, () => {
    for (const child of running) child.kill(signal)
    process.exitCode = exitCode
    process.exit()
  })
}

/**
 * Runs a Node program of the repository and hands its standard output on in whole lines.
 * @param {string[]} args
 * @param {{ onLine: (line: string) => void, stderr: 'inherit' | 'lines', env?: NodeJS.ProcessEnv }} options
 *   `lines` sends standard error to `onLine` too
 * @returns {Promise<boolean>} true when it exited with 0
 */
export async function runNode(args, { onLine, stderr, env = process.env }) {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', stderr === 'lines' ? 'pipe' : 'inherit'],
  })
  running.add(child)
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (/** @type {string} */ chunk) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      lines.forEach(onLine)
    })
    stream.on('end', () => {
      if (rest !== '') onLine(rest)
    })
  }
  /** @type {number | null} */
  const exitCode = await new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  running.delete(child)
  return exitCode === 0
}
