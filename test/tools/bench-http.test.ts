/**
 * `bench http`: every figure is of requests that were answered with 200, and every acknowledged transaction is a row (G2), or
 * the benchmark fails. Nothing here asserts how long anything takes.
 */
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ReplogError } from '../../core/errors.js'
import { PostConnection } from '../../tools/bench/http/post-connection.js'
import { type HttpReport, rowOf } from '../../tools/bench/http/report.js'
import { bodyOf } from '../../tools/bench/http/settings.js'
import { replog } from './recording-terminal.js'

// Each process takes its time to start on a loaded machine.
t.setTimeout(300_000)

t.test('both series and the echo are measured and reported in every form', async (t) => {
  const directory = t.testdir()
  const json = join(directory, 'out', 'result.json')
  const { code, stdout, stderr } = await replog(
    ...['bench', 'http', '--connections', '3', '--echo-clients', '2,4', '--seconds', '1', '--repetitions', '2'],
    ...['--dir', join(directory, 'data'), '--json', json],
    ...['--html', join(directory, 'result.html'), '--svg', join(directory, 'svg')],
  )
  t.equal(code, 0, stderr)
  const report = JSON.parse(readFileSync(json, 'utf8')) as HttpReport
  t.match(report, {
    benchmark: 'http',
    settings: { connections: [3], echoClients: [2, 4], seconds: 1, repetitions: 2 },
    http: [
      { series: 'empty route', connections: 3, ratio: null },
      { series: 'transaction', connections: 3, ratio: { median: Number } },
    ],
    echo: [
      { series: 'echo', connections: 2, ratio: null },
      { series: 'echo', connections: 4, ratio: { median: Number } },
    ],
  })
  for (const { requestsPerSecond, p50Ms, p99Ms, serverCpuUs, loadCpuUs } of [...report.http, ...report.echo]) {
    t.ok(requestsPerSecond.min > 0 && requestsPerSecond.min <= requestsPerSecond.max)
    t.ok(p50Ms > 0 && p50Ms <= p99Ms)
    t.ok(serverCpuUs.median > 0 && loadCpuUs.median > 0)
  }
  t.match(stdout, /^series +connections +requests\/s/m)
  t.match(
    readFileSync(join(directory, 'result.html'), 'utf8'),
    /<h1>replog bench http<\/h1>[^]*<figure id="http-echo">/,
  )
  t.same(readdirSync(join(directory, 'svg')).sort(), ['http-echo.svg', 'http-throughput.svg'])
  t.same(readdirSync(join(directory, 'data')), [], 'nothing is left')
})

t.test('a ratio is of the slices of one repetition', (t) => {
  const slice = (requestsPerSecond: number): Parameters<typeof rowOf>[2][number] => ({
    requestsPerSecond,
    p50Ms: 1,
    p99Ms: 2,
    serverCpuUs: 3,
    loadCpuUs: 4,
  })
  const row = rowOf('transaction', 64, [slice(50), slice(10), slice(30)], [slice(100), slice(100), slice(40)])
  t.same(row.ratio, { median: 0.5, min: 0.1, max: 0.75 })
  t.same(row.requestsPerSecond, { median: 30, min: 10, max: 50 })
  t.equal(rowOf('empty route', 64, [slice(1)], undefined).ratio, null)
  t.end()
})

interface Fake {
  /** Of the first connection. */
  readonly socket: Socket
  readonly requests: string[]
  readonly answers: number[]
  readonly failures: ReplogError[]
}

/** A connection of the load, against a server that answers what the test says. */
async function fake(t: Test): Promise<Fake> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const requests: string[] = []
  const answers: number[] = []
  const failures: ReplogError[] = []
  let id = 0
  const connected = once(server, 'connection') as Promise<[Socket]>
  const connection: PostConnection = new PostConnection(
    {
      port,
      path: '/path',
      nextBody: () => bodyOf(++id),
      onAnswer: (milliseconds) => answers.push(milliseconds),
      onFailed: (error) => failures.push(error),
    },
    () => {
      connection.start()
    },
  )
  t.teardown(() => {
    connection.close()
    server.close()
  })
  const [socket] = await connected
  socket.on('data', (chunk) => requests.push(chunk.toString()))
  await once(socket, 'data')
  return { socket, requests, answers, failures }
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\n\r\n12345'

t.test('an answer may come in any pieces, and the next request is sent when it is whole', async (t) => {
  const { socket, requests, answers, failures } = await fake(t)
  t.match(requests[0]!, /^POST \/path HTTP\/1\.1\r\n[^]*\r\nContent-Length: (\d+)\r\n\r\n\{"statements"/)
  for (const cut of [1, 14, 36, OK.indexOf('\r\n\r\n') + 2, OK.length - 1]) {
    const before = requests.length
    socket.write(OK.slice(0, cut))
    await new Promise((resolve) => setTimeout(resolve, 5))
    t.equal(requests.length, before, `not after ${cut} bytes`)
    socket.write(OK.slice(cut))
    await once(socket, 'data')
  }
  t.equal(answers.length, 5)
  t.match(requests[5], bodyOf(6))
  t.same(failures, [])
})

t.test('what is not an answer with 200 and a length ends the load, and says why', async (t) => {
  for (const [answer, message] of [
    ['HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\nwhy?', /409 why\?/],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', /without a length/],
    [undefined, /closed/],
  ] as const) {
    const { socket, answers, failures } = await fake(t)
    const closed = once(socket, 'close')
    if (answer === undefined) socket.end()
    else socket.write(answer)
    await closed
    t.same(answers, [])
    t.equal(failures.length, 1)
    t.match(failures[0], { code: 'PROTOCOL', message })
  }
})
