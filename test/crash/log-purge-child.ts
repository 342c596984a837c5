/**
 * A primary that commits and purges its log all the time, as a process that can be killed: `log-purge-child DIR`.
 *
 * Each transaction inserts one row and has an idempotency key. Prints "ready LSN", "ack ID" when the row with that id is
 * durable, and "floor LSN" when a purge up to there is done. Output is written synchronously.
 */
import { writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../core/errors.js'
import { Primary } from '../../primary/primary.js'

const COMMITTERS = 8
const KEPT_BYTES = 20_000

const [, , path = ''] = process.argv
const say = (line: string): void => {
  writeSync(1, `${line}\n`)
}
const primary = await Primary.open({ path, onError: (error) => say(`fault ${messageOf(error)}`) })
const db = primary.catalog()
if (primary.position.lsn === 1n) {
  const columns = [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'text', type: 'TEXT' },
  ]
  await db.execute([{ createTable: { table: { name: 'rows', columns, primaryKey: ['id'] } } }])
}
say(`ready ${primary.position.lsn}`)
for (let committer = 0; committer < COMMITTERS; committer++) void commitOn(committer)
void purgeOn()

async function commitOn(committer: number): Promise<void> {
  for (let n = 0; ; n++) {
    const key = `${process.pid} ${committer} ${n}`
    const rows = [{ text: `${key} ${'x'.repeat((n * 37) % 3000)}` }]
    const { results } = await db.execute([{ insert: { table: 'rows', rows } }], { idempotencyKey: key })
    say(
      `ack ${JSON.stringify(results[0], (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))}`,
    )
  }
}

async function purgeOn(): Promise<void> {
  for (;;) {
    const { floor } = await primary.purgeLog({ keepBytes: KEPT_BYTES })
    say(`floor ${floor.lsn}`)
    await delay(5)
  }
}
