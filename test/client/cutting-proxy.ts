/**
 * A way to the server that breaks where a test wants it: when a request has been passed on, before it is, or when its
 * answer comes back.
 */
import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net'
import type { Test } from 'tap'

/**
 * - `before`: the next bytes of the client are thrown away, and the connection is cut;
 * - `after`: they are passed on, and the connection is cut at the client's side; the server sees it end behind them;
 * - `answer`: they are passed on, and what the server says next is thrown away, and the connection is cut.
 */
export type Cut = 'before' | 'after' | 'answer'

export class CuttingProxy {
  /** New connections are cut at once. */
  refuses = false
  /** What happens to the next bytes of a client; once. */
  next: Cut | undefined
  /** Cuts that took place. */
  cuts = 0
  /** Where new connections lead; a server that was started again may have another port. */
  targetPort: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(targetPort: number) {
    this.targetPort = targetPort
    this.#server = createServer((downstream) => {
      this.#join(downstream)
    })
  }

  static async start(t: Test, targetPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(targetPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    t.teardown(() => {
      proxy.cutAll()
      proxy.#server.close()
    })
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Breaks every connection in the middle of whatever it does. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(downstream: Socket): void {
    if (this.refuses) {
      downstream.destroy()
      return
    }
    const upstream = connect(this.targetPort, '127.0.0.1')
    let swallows = false
    for (const [socket, other] of [
      [downstream, upstream],
      [upstream, downstream],
    ] as const) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    downstream.on('data', (chunk: Buffer) => {
      const cut = this.next
      this.next = undefined
      if (cut !== undefined) this.cuts++
      if (cut === 'before') {
        upstream.destroy()
        return
      }
      if (cut === 'after') {
        // Everything that was written reaches the server before the end does.
        upstream.end(chunk, () => downstream.destroy())
        return
      }
      if (cut === 'answer') swallows = true
      upstream.write(chunk)
    })
    upstream.on('data', (chunk: Buffer) => {
      if (swallows) upstream.destroy()
      else downstream.write(chunk)
    })
  }
}
