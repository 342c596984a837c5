/** The WebSocket of the replica link, as `ws` makes it. */
import { WebSocket } from 'ws'
import { LINK_MESSAGE_BYTES_MAX, LINK_SILENCE_MS_MAX } from '../core/limits.js'
import type { LinkSocket } from '../log/link/link-socket.js'

/** Begins a connection; whether it can be made is told by its events. */
export function connectSocket(url: string): LinkSocket {
  return new WebSocket(url, {
    maxPayload: LINK_MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    handshakeTimeout: LINK_SILENCE_MS_MAX,
  })
}
