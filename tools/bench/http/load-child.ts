/** The load, in a process of its own: every connection sends its next request when the one before is answered. */
import { setMaxListeners } from 'node:events'
import { ReplogError } from '../../../core/errors.js'
import { openSocket } from '../../client/open-socket.js'
import { answerMeasurements } from '../measuring-child.js'
import { Samples } from '../samples.js'
import { PostConnection } from './post-connection.js'
import { ECHO_BYTES, ECHO_PATH, bodyOf } from './settings.js'

export interface LoadRequest {
  readonly kind: 'post' | 'echo'
  readonly port: number
  /** Of the route that is posted to. */
  readonly path: string
  readonly connections: number
  readonly seconds: number
  /** Ids of rows that are posted go on from here. */
  readonly firstId: number
}

export interface LoadFigures {
  /** Answered within the measured time. */
  readonly requests: number
  /** Answered, those of the warm-up included. */
  readonly answered: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** The first id that was not posted. */
  readonly nextId: number
}

interface Connection {
  start(): void
  close(): void
}

/** What is not measured before what is: connections are new, and so may be the code that serves them. */
const WARM_UP_SHARE = 0.2
/** Connections that are being made at the same time: fewer than a listening socket queues. */
const CONNECTING_MAX = 64
const CONNECT_TIMEOUT_MS = 60_000

answerMeasurements(async (request: LoadRequest): Promise<LoadFigures> => {
  const run = new LoadRun(request)
  const connections: Connection[] = []
  try {
    await run.connectAll(connections)
    return await run.measure(connections)
  } finally {
    for (const connection of connections) connection.close()
  }
})

class LoadRun {
  readonly #request: LoadRequest
  readonly #failed: Promise<never>
  #fail: (error: ReplogError) => void = () => undefined
  #nextId: number
  #samples = new Samples()
  #requests = 0
  #answeredCount = 0

  constructor(request: LoadRequest) {
    this.#request = request
    this.#nextId = request.firstId
    this.#failed = new Promise<never>((_resolve, reject) => {
      this.#fail = reject
    })
    this.#failed.catch(() => undefined)
  }

  async connectAll(connections: Connection[]): Promise<void> {
    const { connections: count } = this.#request
    let connecting = 0
    const worker = async (): Promise<void> => {
      while (connections.length + connecting < count) {
        connecting++
        const connection = await this.#connect()
        connecting--
        connections.push(connection)
      }
    }
    await Promise.all(Array.from({ length: Math.min(CONNECTING_MAX, count) }, worker))
  }

  async measure(connections: readonly Connection[]): Promise<LoadFigures> {
    const { seconds } = this.#request
    for (const connection of connections) connection.start()
    await this.#after(seconds * WARM_UP_SHARE)
    this.#requests = 0
    this.#samples = new Samples()
    const startMs = performance.now()
    const startCpu = process.cpuUsage()
    await this.#after(seconds)
    const { user, system } = process.cpuUsage(startCpu)
    const measuredSeconds = (performance.now() - startMs) / 1000
    const requests = this.#requests
    if (requests === 0)
      throw new ReplogError('UNREACHABLE', `no request was answered within ${seconds} s; measure longer`)
    const { medianMs, p99Ms } = this.#samples.summary()
    const cpuSeconds = (user + system) / 1e6
    const answered = this.#answeredCount
    return { requests, answered, seconds: measuredSeconds, cpuSeconds, p50Ms: medianMs, p99Ms, nextId: this.#nextId }
  }

  #after(seconds: number): Promise<void> {
    const passed = new Promise<void>((resolve) => {
      setTimeout(resolve, seconds * 1000)
    })
    return Promise.race([passed, this.#failed])
  }

  #connect(): Promise<Connection> {
    return this.#request.kind === 'post' ? this.#connectPost() : this.#connectEcho()
  }

  async #connectPost(): Promise<Connection> {
    const { port, path } = this.#request
    const connected = new Promise<Connection>((resolve) => {
      const connection = new PostConnection(
        {
          port,
          path,
          nextBody: () => bodyOf(this.#nextId++),
          onAnswer: (milliseconds) => {
            this.#answered(milliseconds)
          },
          onFailed: this.#fail,
        },
        () => {
          resolve(connection)
        },
      )
    })
    return Promise.race([connected, this.#failed])
  }

  #connectEcho(): Promise<Connection> {
    const message = Buffer.alloc(ECHO_BYTES, 1)
    const never = new AbortController().signal
    setMaxListeners(CONNECTING_MAX, never)
    const options = {
      url: `ws://127.0.0.1:${this.#request.port}${ECHO_PATH}`,
      headers: {},
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    }
    return openSocket(options, never, (socket) => {
      let sentMs = 0
      const start = (): void => {
        sentMs = performance.now()
        socket.send(message)
      }
      const fail = (): void => {
        this.#fail(new ReplogError('UNREACHABLE', 'the server closed a connection of the load'))
      }
      socket.on('message', () => {
        this.#answered(performance.now() - sentMs)
        start()
      })
      socket.on('close', fail)
      socket.on('error', fail)
      return {
        start,
        close: () => {
          socket.removeAllListeners()
          socket.on('error', () => undefined)
          socket.terminate()
        },
      }
    })
  }

  #answered(milliseconds: number): void {
    this.#requests++
    this.#answeredCount++
    this.#samples.add(milliseconds)
  }
}
