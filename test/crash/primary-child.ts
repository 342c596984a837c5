/**
 * A primary as a process that can be killed: `primary-child DIR PORT`.
 *
 * Prints "ready PORT", takes an operation as JSON per line of stdin, and prints "ack OP LSN" once it and all up to that
 * LSN are durable, or "failed OP CODE". Output is written synchronously: what the parent reads was acknowledged.
 */
import { writeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { isReplogError, messageOf } from '../../core/errors.js'
import { Primary } from '../../primary/primary.js'
import { ServedPrimary } from '../../primary/served-primary.js'
import { type Operation, run } from './workload.js'

const [, , path = '', port = '0'] = process.argv
const say = (line: string): void => {
  writeSync(1, `${line}\n`)
}
const primary = await Primary.open({ path, onError: (error) => say(`fault ${messageOf(error)}`) })
const served = new ServedPrimary(primary, { name: 'primary', onError: (error) => say(`fault ${messageOf(error)}`) })
const server = createServer()
served.sockets.attach(server)
server.listen(Number(port), '127.0.0.1', () => {
  say(`ready ${(server.address() as AddressInfo).port}`)
})
const db = primary.catalog()
const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  const operation = JSON.parse(line) as Operation
  run(db, operation).then(
    (lsn) => {
      say(`ack ${operation.op} ${lsn}`)
    },
    (error: unknown) => {
      say(`failed ${operation.op} ${isReplogError(error) ? error.code : messageOf(error)}`)
    },
  )
})
input.on('close', () => {
  void end()
})

async function end(): Promise<void> {
  await served.close()
  server.close()
  await primary.close()
  say(`syncs ${primary.state.store.counters.syncs}`)
}
