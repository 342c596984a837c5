/** Prints transactions of a log in one of the formats of `log dump` and `log tail`. */
import { ReplogError } from '../../core/errors.js'
import { jsonText, type Terminal } from '../terminal.js'
import type { StartPoint } from '../flags.js'
import type { LogSource } from './log-source.js'
import { TransactionJson } from './transaction-json.js'
import { type VerifiedTransaction, verifiedTransactions } from './verified.js'

/**
 * json: one transaction a line · frames: the bytes of the log · payload: the serialized replog.v1.Transaction. The
 * segments of a large transaction, one behind the other, are the protobuf message that they are parts of.
 */
export const LOG_FORMATS = ['json', 'frames', 'payload'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

/** Prints up to `limit` transactions. @returns how many there were */
export async function printLog(
  source: LogSource,
  start: StartPoint,
  limit: number,
  format: LogFormat,
  terminal: Terminal,
): Promise<number> {
  const json = new TransactionJson(source)
  let count = 0
  for await (const verified of verifiedTransactions(source, start)) {
    await printOne(verified, format, json, terminal)
    count++
    if (count >= limit) break
  }
  return count
}

async function printOne(
  verified: VerifiedTransaction,
  format: LogFormat,
  json: TransactionJson,
  terminal: Terminal,
): Promise<void> {
  switch (format) {
    case 'json':
      await terminal.write(`${jsonText(await json.render(verified))}\n`)
      break
    case 'frames':
      for (const { bytes } of verified.frames) await terminal.write(bytes)
      break
    case 'payload':
      for (const { payload } of verified.frames) await terminal.write(payload)
      break
  }
}

/** @throws ReplogError NOT_FOUND when nothing was printed though one transaction was asked for */
export function requirePrinted(count: number, lsn: bigint): void {
  if (count === 0) throw new ReplogError('NOT_FOUND', `the log ends before LSN ${lsn}; \`replog status\` tells where`)
}
