/** `replog pair`: what `npm start` runs, as a user runs it. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { repositoryPath } from '../house/repository.js'
import { spawnPlain } from '../house/spawn-plain.js'

// Each server process takes its time to start on a loaded machine.
t.setTimeout(180_000)

const PROGRAM = repositoryPath('build/tools/replog.js')

interface Report {
  readonly equal: boolean
  readonly position: string
  readonly datasets: readonly { readonly file: string; readonly rows: number }[]
  readonly tables: number
  readonly rows: number
  readonly logBytes: number
  readonly workload: { readonly committed: number; readonly failed: number }
}

async function run(args: readonly string[]): Promise<{ code: number | null; output: string; errors: string }> {
  const child = spawnPlain(process.execPath, [PROGRAM, 'pair', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output, errors }
}

t.test(
  'G1 G7: pair --once loads real data, and replica and primary are equal row by row and byte by byte',
  async (t) => {
    const { code, output, errors } = await run(['--once', '--json'])
    t.equal(code, 0, errors)
    const report = JSON.parse(output) as Report
    t.equal(report.equal, true)
    t.match(report.position, /^1\.\d+\.[0-9a-f]{32}$/)
    t.same(
      report.datasets.map(({ file, rows }) => [file, rows]),
      [
        ['movies.json', 3201],
        ['flights-200k.json', 200_000],
      ],
    )
    t.ok(report.rows >= 203_201, 'every row was compared')
    t.ok(report.logBytes > 0, 'the logs were compared')
    t.ok(report.workload.committed > 0, 'the workload ran')
    t.equal(report.workload.failed, 0)
  },
)

t.test('pair stays up with its page until SIGINT, twice as under npm, and both servers end cleanly', async (t) => {
  const directory = t.testdir()
  const child = spawnPlain(
    process.execPath,
    [PROGRAM, 'pair', '--data', directory, '--port', '0', '--replica-port', '0', '--rate', '20'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).once('line', resolve)
    child.once('close', () => {
      reject(new Error(errors))
    })
  })
  const url = /status page: (\S+)/.exec(line)?.[1]
  t.ok(url, line)
  const page = await fetch(url!)
  t.equal(page.status, 200)
  t.match(page.headers.get('content-type'), /text\/html/)
  const closed = once(child, 'close')
  child.kill('SIGINT')
  child.kill('SIGINT')
  const [code] = (await closed) as [number | null]
  t.equal(code, 0, errors)
})

t.test('a port that is taken is named, with the way out, and nothing is left running', async (t) => {
  const { createServer } = await import('node:net')
  const blocker = createServer().listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  t.teardown(() => blocker.close())
  const { port } = blocker.address() as { port: number }
  const { code, errors } = await run(['--data', t.testdir(), '--port', String(port)])
  t.equal(code, 1)
  t.match(errors, /is taken; choose another --port/)
})
