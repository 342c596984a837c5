/**
 * A bad network in front of one server: a TCP proxy that cuts, delays, and swallows without a word.
 *
 *   hold    nothing passes in either direction and no connection ends, as behind a dead router; what was held passes on `free`
 *   cut     every connection ends in the middle of whatever it does, and what was under way is gone
 */
import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'

export class BadLink {
  /** The port that it leads to. */
  target: number
  /** How long each chunk is held, in milliseconds. */
  delayMs = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #held: Promise<void> | undefined
  #free: () => void = () => undefined

  private constructor(target: number) {
    this.target = target
    this.#server = createServer((downstream) => {
      const upstream = connect(this.target, '127.0.0.1')
      this.#pipe(downstream, upstream)
      this.#pipe(upstream, downstream)
    })
  }

  static async start(t: Test, target: number): Promise<BadLink> {
    const link = new BadLink(target)
    link.#server.listen(0, '127.0.0.1')
    await once(link.#server, 'listening')
    t.teardown(() => {
      link.cut()
      link.free()
      link.#server.close()
    })
    return link
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  hold(): void {
    this.#held ??= new Promise((resolve) => {
      this.#free = resolve
    })
  }

  free(): void {
    this.#held = undefined
    this.#free()
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #pipe(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.on('error', () => undefined)
    from.on('close', () => {
      this.#sockets.delete(from)
      void this.#end(to)
    })
    this.#carry(from, to).catch(() => {
      to.destroy()
    })
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    for await (const chunk of from) {
      if (this.delayMs > 0) await delay(this.delayMs)
      if (this.#held !== undefined) await this.#held
      if (!to.write(chunk as Buffer)) await Promise.race([once(to, 'drain'), once(to, 'close')])
    }
  }

  /** The end of a connection does not pass a dead router, either. */
  async #end(to: Socket): Promise<void> {
    if (this.#held !== undefined) await this.#held
    to.destroy()
  }
}
