/** `replog log dump`: the log of a data directory or a server, verified as it is read. (G8) */
import { type Command, Option } from 'commander'
import { LSN_ZERO, type Lsn } from '../core/position.js'
import {
  type SourceOptions,
  type StartPoint,
  addSourceFlags,
  lsnFlag,
  positiveInteger,
  sourceOf,
  startPointFlag,
} from './flags.js'
import { HttpClient } from './http-client.js'
import { HttpSource } from './log/http-source.js'
import type { LogSource } from './log/log-source.js'
import { LOG_FORMATS, type LogFormat, printLog, requirePrinted } from './log/print.js'
import { StoreSource } from './log/store-source.js'
import { UsageError, type Verb } from './verb.js'

interface Options extends SourceOptions {
  readonly after?: StartPoint
  readonly lsn?: Lsn
  readonly limit?: number
  readonly format: LogFormat
}

export const verb: Verb<Options> = {
  name: 'log dump',
  summary: 'Print the transactions of a log, verified as they are read',
  configure(command: Command) {
    addSourceFlags(command)
      .option('--after <position>', 'start behind this position (epoch.lsn.digest) or LSN', startPointFlag)
      .option('--limit <n>', 'at most so many transactions', positiveInteger)
      .option('--lsn <lsn>', 'this transaction alone', lsnFlag)
      .addOption(
        new Option('--format <format>', 'json: a line each; frames: as stored; payload: the protobuf message of --lsn')
          .choices(LOG_FORMATS)
          .default('json'),
      )
      .addHelpText(
        'after',
        '\nA payload is read with: protoc --decode=replog.v1.Transaction log/codec/replication.proto < PAYLOAD',
      )
  },
  async run(invocation) {
    const { options, terminal } = invocation
    const { start, limit } = rangeOf(options)
    const where = sourceOf(invocation)
    const source: LogSource =
      'data' in where ? await StoreSource.open(where.data) : new HttpSource(new HttpClient(where.from))
    try {
      const count = await printLog(source, start, limit, options.format, terminal)
      if (options.lsn !== undefined) requirePrinted(count, options.lsn)
    } finally {
      await source.close()
    }
  },
}

function rangeOf({ lsn, after, limit, format }: Options): { readonly start: StartPoint; readonly limit: number } {
  if (lsn !== undefined) {
    if (after !== undefined || limit !== undefined) {
      throw new UsageError('--lsn names one transaction; leave out --after and --limit')
    }
    if (lsn === LSN_ZERO) throw new UsageError('--lsn counts from 1; LSN 0 is the empty log')
    return { start: { lsn: (lsn - 1n) as Lsn, position: undefined }, limit: 1 }
  }
  if (format === 'payload') throw new UsageError('--format payload prints one transaction: name it with --lsn')
  return { start: after ?? { lsn: LSN_ZERO, position: undefined }, limit: limit ?? Infinity }
}
