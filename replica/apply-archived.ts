/**
 * Applies transactions of an archived log to a replica's directory that nobody has open, up to where they are wanted.
 *
 * Invariant: the same code applies them as those that come over a link; a frame that does not continue the log of the
 * directory is refused. (G7, G8)
 */
import { type Clock, systemClock } from '../core/clock.js'
import { ReplogError } from '../core/errors.js'
import { LINK_CHUNK_BYTES_TARGET } from '../core/limits.js'
import { type Lsn, type Position, formatPosition, nextLsn } from '../core/position.js'
import { BackgroundJobs } from '../log/background-jobs.js'
import { readWholeFrame } from '../log/codec/frame.js'
import { peekTransaction } from '../log/codec/transaction-codec.js'
import { openState } from '../log/open-state.js'
import { ApplyGate } from './apply-gate.js'
import { Applier } from './applier.js'
import { ReplicationControl } from './replication-control.js'

/**
 * Up to which transaction: this one, or the last one that was committed at this time or before. Only a later transaction
 * shows that the archive has all of that time; with `orEnd` its end is taken where none does.
 */
export type ArchivedUntil = { readonly lsn: Lsn } | { readonly commitUs: bigint; readonly orEnd: boolean }

export interface ApplyArchivedOptions {
  readonly path: string
  readonly until: ArchivedUntil
  /** Whole frames behind a position, in order. */
  readonly frames: (after: Position) => AsyncIterable<Buffer>
  readonly clock?: Clock
}

/**
 * @returns the position of the directory then
 * @throws ReplogError INVALID_ARGUMENT when the directory is behind that point already; NOT_FOUND when the archive does not
 *   show that it reaches it; what reading the archive throws
 */
export async function applyArchived(options: ApplyArchivedOptions): Promise<Position> {
  const { path, until, frames, clock = systemClock } = options
  const state = await openState({ path, role: 'replica', clock })
  let fault: Error | undefined
  let failed: (error: unknown) => void = () => undefined
  const failure = new Promise<never>((_resolve, reject) => {
    failed = (error) => {
      fault = error instanceof Error ? error : new Error(String(error))
      reject(fault)
    }
  })
  failure.catch(() => undefined)
  const jobs = new BackgroundJobs(state, undefined, failed, clock)
  jobs.kick()
  const gate = new ApplyGate(
    clock,
    0,
    () => clock.nowUs(),
    () => undefined,
  )
  const applier = new Applier(state, jobs, gate, new ReplicationControl(state), failed)
  try {
    const begun = state.durable
    requireBefore(begun, state.lastCommitUs, until)
    applier.restart(state.identity.clusterId!)
    let pending: Buffer[] = []
    let bytes = 0
    let last = begun.lsn
    const take = async (): Promise<void> => {
      applier.take(Buffer.concat(pending))
      pending = []
      bytes = 0
      while (applier.isFull) await Promise.race([state.whenDurable(nextLsn(state.durable.lsn)), failure])
    }
    let isReached = 'lsn' in until && until.lsn === begun.lsn
    for await (const frame of frames(begun)) {
      const { lsn, segment, payload } = readWholeFrame(frame)
      if (isReached || (segment === 0 && isBeyond(lsn, payload, until))) {
        isReached = true
        break
      }
      pending.push(frame)
      bytes += frame.length
      last = lsn
      if (bytes >= LINK_CHUNK_BYTES_TARGET) await take()
    }
    await take()
    await Promise.race([state.whenDurable(last), failure])
    if (fault !== undefined) throw fault
    if (!isReached) requireEnoughArchived(state.durable, state.lastCommitUs, until)
    return state.durable
  } finally {
    applier.stop()
    await jobs.stop()
    await state.close()
  }
}

function requireBefore({ lsn }: Position, commitUs: bigint, until: ArchivedUntil): void {
  if ('lsn' in until ? lsn <= until.lsn : commitUs <= until.commitUs) return
  throw new ReplogError(
    'INVALID_ARGUMENT',
    `the backup is of LSN ${lsn}, committed ${timeText(commitUs)}, which is later; take an ` +
      'older backup, and the archived log behind it',
  )
}

/** @param position the end of the archive */
function requireEnoughArchived(position: Position, commitUs: bigint, until: ArchivedUntil): void {
  const end = `the archive ends at ${formatPosition(position)}`
  if ('lsn' in until) {
    if (position.lsn < until.lsn) throw new ReplogError('NOT_FOUND', `${end}, before LSN ${until.lsn}`)
  } else if (!until.orEnd) {
    throw new ReplogError(
      'NOT_FOUND',
      `${end}, committed ${timeText(commitUs)}, and has nothing later than ${timeText(until.commitUs)}: what was committed ` +
        'in between may be missing. Let `replog log archive` follow the server beyond that time, or take the end of the ' +
        'archive with --or-end',
      { details: { position: formatPosition(position), lastCommitAt: timeText(commitUs) } },
    )
  }
}

function timeText(us: bigint): string {
  return new Date(Number(us / 1000n)).toISOString()
}

function isBeyond(lsn: Lsn, payload: Uint8Array, until: ArchivedUntil): boolean {
  return 'lsn' in until ? lsn > until.lsn : peekTransaction(payload).commitTimestampUs > until.commitUs
}
