/** A WebSocket client in bytes, which can stop anywhere: in the handshake, in a header, in a frame. */
import { type Socket, connect } from 'node:net'

const PATH = '/v1/catalogs/local/session'

export function handshake(path = PATH): Buffer {
  return Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
}

const OPCODE_TEXT = 1
const OPCODE_BINARY = 2
const FINAL = 0x80
const MASKED = 0x80
const LENGTH_16 = 126
/** A mask of zeros leaves the payload as it is. */
const MASK = Buffer.alloc(4)

/** A whole frame as a client sends it; at most 65,535 bytes. */
export function clientFrame(payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload as string)
  const opcode = FINAL | (typeof payload === 'string' ? OPCODE_TEXT : OPCODE_BINARY)
  const header =
    bytes.length < LENGTH_16
      ? Buffer.from([opcode, MASKED | bytes.length])
      : Buffer.from([opcode, MASKED | LENGTH_16, bytes.length >>> 8, bytes.length & 0xff])
  return Buffer.concat([header, MASK, bytes])
}

/** A TCP connection whose errors are nobody's business: the other side may cut it at any time. */
export function rawSocket(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  return socket
}
