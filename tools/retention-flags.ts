/** How much of its log a server keeps, as flags of `replog primary` and `replog replica`. */
import type { Command } from 'commander'
import { FOLLOWER_HOLD_MS_DEFAULT, LOG_BYTES_MAX_MIN } from '../core/limits.js'
import type { LogRetentionOptions } from '../log/purge/purge-policy.js'
import { bytesFlag, durationFlag } from './flags.js'

export interface RetentionFlags {
  readonly logKeepAge?: number
  readonly logKeepBytes?: number
  readonly logBytesMax?: number
  readonly followerHold: number
}

export function addRetentionFlags(command: Command): Command {
  return command
    .option('--log-keep-age <time>', 'purge transactions of the log that are older, such as 7d or 12h', durationFlag)
    .option('--log-keep-bytes <bytes>', 'purge the oldest part of a log that is larger, such as 10GiB', bytesFlag(0))
    .option(
      '--log-bytes-max <bytes>',
      'the hard cap of the log: beyond it even what replicas still need is purged',
      bytesFlag(LOG_BYTES_MAX_MIN),
    )
    .option(
      '--follower-hold <time>',
      'how long a replica that left keeps the log from being purged, such as 24h',
      durationFlag,
      FOLLOWER_HOLD_MS_DEFAULT,
    )
}

/** @throws ReplogError INVALID_ARGUMENT when they contradict each other, by whoever opens the server */
export function retentionOf(flags: RetentionFlags): LogRetentionOptions {
  const { logKeepAge, logKeepBytes, logBytesMax, followerHold } = flags
  return { keepAgeMs: logKeepAge, keepBytes: logKeepBytes, bytesMax: logBytesMax, followerHoldMs: followerHold }
}
