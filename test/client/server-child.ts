/** A primary with sessions as a process that can be killed: `server-child DIR PORT`. Prints "ready PORT". */
import { writeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../../core/clock.js'
import { messageOf } from '../../core/errors.js'
import { SocketRoutes } from '../../log/socket/socket-routes.js'
import { Primary } from '../../primary/primary.js'
import { SessionServer } from '../../primary/session/session-server.js'

const [, , path = '', port = '0'] = process.argv
const say = (line: string): void => {
  writeSync(1, `${line}\n`)
}
const onError = (error: unknown): void => {
  say(`fault ${messageOf(error)}`)
}
const primary = await Primary.open({ path, onError })
const sockets = new SocketRoutes()
const sessions = new SessionServer(primary, sockets, systemClock, { onError })
const server = createServer()
sockets.attach(server)
server.listen(Number(port), '127.0.0.1', () => {
  say(`ready ${(server.address() as AddressInfo).port}`)
})
process.stdin.on('end', () => {
  void sessions.close().then(async () => {
    sockets.close()
    server.close()
    await primary.close()
  })
})
process.stdin.resume()
