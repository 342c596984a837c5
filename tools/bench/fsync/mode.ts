/**
 * What the modes of `bench fsync` have in common: one way to open, load, read back and close each of them.
 *
 * Invariants that every mode keeps
 * - `commit` resolves when the transaction is as durable as the mode promises, and not before;
 * - rows, index entries and their bytes are those of the product; where a mode logs, so is the message;
 * - `syncs` counts the calls that were really made since the opening, rotation of files included;
 * - after `stop`, what has not begun is refused with CLOSED and leaves nothing behind; what has begun ends as usual.
 */
import type { EngineContents } from './contents.js'
import type { Workload } from './workload.js'

export const MODE_NAMES = ['batch', '2pc', '2pc-grouped', 'file', 'nolog', 'nosync'] as const

export type ModeName = (typeof MODE_NAMES)[number]

export interface ModeContext {
  /** Where the mode keeps everything; missing when it is opened for the first time. */
  readonly path: string
  readonly workload: Workload
  /** Added to every sync that a commit waits for. */
  readonly delayUs: number
}

export interface ModeContents extends EngineContents {
  /** Messages in the log; undefined where there is none. */
  readonly messages: number | undefined
}

export interface OpenMode {
  /** Commits the row with this ordinal. @throws ReplogError CLOSED after `stop`; COMMIT_UNKNOWN and other faults of a disk */
  commit(ordinal: number): Promise<unknown>
  readonly syncs: number
  stop(): void
  /** What is stored; while nothing is being committed. */
  contents(): Promise<ModeContents>
  close(): Promise<void>
}

export interface Mode {
  readonly name: ModeName
  /** What it does with a transaction and what that is worth, in one line. */
  readonly summary: string
  /** Opens it anew, or, in a directory that it had before, recovers it. */
  open(context: ModeContext): Promise<OpenMode>
}
