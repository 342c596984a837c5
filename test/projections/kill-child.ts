/**
 * A server that embeds projections and a consumer, as a process that can be killed:
 * `kill-child DIR FILE SEED load|drain`.
 *
 * Says "opened", "ready CHANGES" when all run, and "changes N" as the first projection gets on. The consumer writes a line
 * for each change to FILE, and begins some lines before the last one that is there: it sees changes at least once. With
 * `drain` nobody writes, and the process ends when all have seen everything.
 */
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { isReplogError } from '../../core/errors.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import type { Projection } from '../../primary/projections/projection.js'
import { Random } from '../isolation/random.js'
import { SOURCE, lineOf, makeTargets, runChain, runRows } from './projected.js'
import { makeSources, write } from './source-load.js'

const WRITERS = 3
const SEEN_AGAIN_MAX = 40
const LAG_MAX = 300

const [, , path = '', file = '', seed = '0', mode = ''] = process.argv
const random = new Random(Number(seed))
const isDraining = mode === 'drain'

const primary = await Primary.open({ path, onError: fault })
const db = primary.catalog()
say('opened')
if (!(await db.schemas()).some(({ message }) => message.name === 'src')) {
  await db.transaction(async (transaction) => {
    await makeSources(transaction)
    await makeTargets(transaction)
  })
}
const projections = [runChain(db), runRows(db)]
const [chain] = projections as [Projection, Projection]
for (const projection of projections) projection.done.catch(fault)
const stop = new AbortController()
const lagging = (): boolean => projections.some(({ status }) => status.lagTransactions > LAG_MAX)
const writers = isDraining
  ? []
  : Array.from({ length: WRITERS }, () => write(db, new Random(random.below(2 ** 31)), stop.signal, lagging))
for (const writer of writers) writer.catch(fault)
const consumer = consume(db)
consumer.catch(fault)
while (chain.status.state === 'starting') await delay(1)
say(`ready ${chain.status.changes}`)
if (isDraining) await drain()
else {
  for (let told = 0n; ;) {
    const { changes } = chain.status
    if (changes !== told) say(`changes ${changes}`)
    told = changes
    await delay(2)
  }
}

async function consume(from: Catalog): Promise<void> {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  // What follows the last line break was cut off by a kill.
  const whole = lines.slice(0, -1).filter((line) => !line.endsWith('?'))
  const after = whole[whole.length - 1 - random.below(SEEN_AGAIN_MAX)]?.split(' ')[0] ?? '0'
  const target = openSync(file, 'a')
  if (lines.at(-1) !== '' && lines.length > 0) writeSync(target, '?\n')
  for await (const change of from.changes({ after, tables: SOURCE, follow: !isDraining })) {
    if (change.type === 'transaction' || change.type === 'heartbeat') continue
    writeSync(target, `${lineOf(change)}\n`)
  }
  closeSync(target)
}

async function drain(): Promise<void> {
  const { lsn } = primary.position
  const isDone = ({ status }: Projection): boolean =>
    !status.inSnapshot && primary.position.lsn - BigInt(status.lagTransactions) >= lsn
  while (!projections.every(isDone)) await delay(5)
  await consumer
  for (const projection of projections) await projection.stop()
  await primary.close()
}

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

function fault(error: unknown): void {
  say(
    `fault ${isReplogError(error) ? error.code : ''} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  )
}
