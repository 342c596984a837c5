/** How much memory a peer gets for its pages: what its manual recommends for a machine of its own, and no less. */
import { totalmem } from 'node:os'

const MIB = 1024 * 1024
const MIB_MAX = 4096

/** A quarter of the machine's memory, in MiB. Everything that the benchmarks write has room in it. */
export function bufferMemoryMib(machineBytes = totalmem()): number {
  return Math.min(MIB_MAX, Math.floor(machineBytes / 4 / MIB))
}
