/** A bad network between a replica and its primary: cuts, refuses, delays, damages and swallows what passes. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'

/** Changes what the primary sends; undefined swallows the chunk and all behind it, as a dead peer would. */
export type Tamper = (chunk: Buffer) => Buffer | undefined

export class TcpProxy {
  /** New connections are closed at once. */
  refuses = false
  /** How long each chunk is held, in milliseconds. */
  delayMs = 0
  tamper: Tamper = (chunk) => chunk
  /** Where connections that begin from now on lead. */
  targetPort: number
  /** Connections made so far. */
  connections = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(targetPort: number) {
    this.targetPort = targetPort
    this.#server = createServer((downstream) => {
      this.connections++
      if (this.refuses) {
        downstream.destroy()
        return
      }
      const upstream = connect(this.targetPort, '127.0.0.1')
      this.#pipe(downstream, upstream, (chunk) => chunk)
      this.#pipe(upstream, downstream, (chunk) => this.tamper(chunk))
    })
  }

  static async start(t: Test, targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    t.teardown(() => {
      proxy.cut()
      proxy.#server.close()
    })
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Whether there is a connection that a cut would break. */
  get connected(): boolean {
    return [...this.#sockets].some((socket) => !socket.destroyed)
  }

  /** Breaks every connection in the middle of whatever it does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #pipe(from: Socket, to: Socket, tamper: Tamper): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.on('error', () => undefined)
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
    void (async () => {
      for await (const chunk of from) {
        if (this.delayMs > 0) await delay(this.delayMs)
        const passed = tamper(chunk as Buffer)
        if (passed === undefined) continue
        if (!to.write(passed)) await Promise.race([once(to, 'drain'), once(to, 'close')])
      }
    })().catch(() => {
      to.destroy()
    })
  }
}

/** Magic and version. */
const FRAME_START = Buffer.from('rL\x01', 'latin1')

/** Where frames begin in what the primary sends, and therefore what a damage may hit that the log must find. */
export function frameOffset(chunk: Buffer): number | undefined {
  const at = chunk.indexOf(FRAME_START)
  return at < 0 ? undefined : at
}
