/** What a measurement was made on, as far as it matters to who compares it with another. */
import { availableParallelism, totalmem } from 'node:os'
import { VERSION } from '../../core/version.js'

export interface Machine {
  readonly processors: number
  readonly memoryGiB: number
  readonly platform: string
  readonly node: string
  readonly replog: string
}

export function thisMachine(): Machine {
  return {
    processors: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    replog: VERSION,
  }
}
