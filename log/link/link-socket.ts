/**
 * The part of a WebSocket that the replica link uses, on both sides, so that a simulation can put another network under it.
 * `WebSocket` of `ws` is one. Events come one after another, never from within a call of this interface.
 */

export interface LinkSocket {
  readonly OPEN: number
  readonly readyState: number
  /** True after `pause`: no message arrives until `resume`. */
  readonly isPaused: boolean
  /** Bytes that `send` took and the network did not. */
  readonly bufferedAmount: number
  on(event: 'open', listener: () => void): unknown
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): unknown
  on(event: 'error', listener: (cause: Error) => void): unknown
  /** Comes once, and nothing comes after it. */
  on(event: 'close', listener: (code: number, reason: Buffer) => void): unknown
  /** Text goes as a text message. */
  send(text: string): void
  /** @param taken called when the network took it, or never will */
  send(bytes: Buffer, options: { binary: boolean; compress: boolean }, taken?: (error?: Error) => void): void
  pause(): void
  resume(): void
  /** Says goodbye; `close` follows when the other side answers or is gone. */
  close(code: number, reason: string): void
  /** Cuts the connection; `close` follows. */
  terminate(): void
}

/** A path that takes connections. */
export interface LinkRoute {
  match(path: string): Readonly<Record<string, string>> | undefined
  /** Longest message that a peer may send, in bytes. */
  readonly messageBytesMax: number
  accept(socket: LinkSocket, address: string): void
}

/** Where a link server takes its path; `SocketRoutes` is one. */
export interface LinkRoutes {
  add(route: LinkRoute): void
}
