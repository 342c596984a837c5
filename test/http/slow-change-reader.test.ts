/** A reader that takes nothing costs a bounded number of bytes and is cut with a reason; others do not notice. */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { CHANGE_PIECE_LENGTH_TARGET, CHANGE_STALL_MS } from '../../core/limits.js'
import type { ChangeReadersStatus } from '../../log/status.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { lines } from './change-reading.js'
import { type Serving, serve } from './serving.js'

const ROWS_PER_TRANSACTION = 10
/** Far more than sockets hold. */
const TRANSACTIONS = 40
const TEXT = 'x'.repeat(50_000)

const COLUMNS = [
  { name: 'id', type: 'INTEGER' },
  { name: 'text', type: 'TEXT' },
]

async function readers(server: Serving): Promise<ChangeReadersStatus> {
  return (await server.get('/v1/status')).json['changeReaders'] as ChangeReadersStatus
}

/** Asks, and reads nothing. */
async function standStill(server: Serving): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.pause()
  socket.write(`GET /v1/catalogs/local/changes?follow=true&after=0 HTTP/1.1\r\nhost: x\r\n\r\n`)
  return socket
}

t.test('a reader that stands still', async (t) => {
  const clock = new ManualClock()
  const server = await serve({ engine: new MemoryEngine(), clock })
  t.teardown(() => server.close())
  const db = server.primary.catalog()
  await db.transaction((tx) => tx.createTable({ name: 'wide', columns: COLUMNS, primaryKey: ['id'] }))
  for (let at = 0; at < TRANSACTIONS; at++) {
    const rows = Array.from({ length: ROWS_PER_TRANSACTION }, (_, row) => ({
      id: at * ROWS_PER_TRANSACTION + row,
      text: TEXT,
    }))
    await db.transaction((tx) => tx.insert('wide', rows))
  }
  const socket = await standStill(server)
  t.teardown(() => socket.destroy())
  while ((await readers(server)).open === 0) await turn()

  let count = 0
  for await (const _line of lines(await fetch(`${server.url}/v1/catalogs/local/changes`))) count++
  t.equal(count, 3 + TRANSACTIONS * ROWS_PER_TRANSACTION, 'who reads is given everything meanwhile')

  const { readers: slow } = await readers(server)
  t.equal(slow.length, 1)
  t.ok(slow[0]!.lagTransactions > 0, 'it was not given all')
  t.ok(slow[0]!.heldBytes <= 6 * CHANGE_PIECE_LENGTH_TARGET, `${slow[0]!.heldBytes} bytes are held for it`)

  let status = await readers(server)
  while (status.cut === 0) {
    await clock.advance(CHANGE_STALL_MS)
    status = await readers(server)
  }
  t.match(status, {
    cut: 1,
    lastCut: { catalog: 'local', address: '127.0.0.1', reason: /took nothing for 30000 ms while there was more/ },
  })
  while (status.open > 0) status = await readers(server)
  t.match((await server.get('/metrics')).text, /^replog_change_readers_cut_total 1$/m)
  t.equal(status.sent, 3 + TRANSACTIONS * ROWS_PER_TRANSACTION + slow[0]!.sent)
  t.same(server.errors, [], 'it is no fault of the server')
})
