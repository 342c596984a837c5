/** Sources of copies for tests: a state in this process, with faults on the way. */
import type { Position } from '../../core/position.js'
import { LogCursor } from '../../log/log-cursor.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { openSnapshotStream } from '../../log/snapshot/donor.js'
import type { SnapshotResume } from '../../log/snapshot/snapshot-records.js'
import type { CloneSource } from '../../replica/clone-source.js'

const LOG_BYTES = 64 * 1024

export interface SourceFaults {
  /** Entries in a page. */
  readonly pageEntriesMax?: number
  /** Called with each piece of a snapshot before it is handed on; what it returns goes on its way. */
  readonly onSnapshot?: (bytes: Buffer) => Buffer | Promise<Buffer>
  readonly onLog?: (bytes: Buffer) => Buffer | Promise<Buffer>
}

/** @param state what is copied, at the time it is asked */
export function sourceOf(state: () => ReplicatedState, faults: SourceFaults = {}): CloneSource {
  return {
    name: 'the tested server',
    async *snapshot(resume: SnapshotResume | undefined) {
      const { chunks, end } = await openSnapshotStream(state(), {
        name: 'copy',
        resume,
        pageEntriesMax: faults.pageEntriesMax,
      })
      try {
        for await (const chunk of chunks) yield (await faults.onSnapshot?.(chunk)) ?? chunk
      } finally {
        end()
      }
    },
    async *log(after: Position) {
      const cursor = new LogCursor(state(), after.lsn)
      while (!cursor.atHead) {
        const { bytes } = await cursor.read(LOG_BYTES)
        yield (await faults.onLog?.(bytes)) ?? bytes
      }
    },
  }
}
