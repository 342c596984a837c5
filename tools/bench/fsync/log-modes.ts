/**
 * The modes whose rows are in a store without the product's log: `2pc` and `2pc-grouped` (log file beside it, atomic),
 * `file` (log file beside it, not atomic) and `nolog` (rows only).
 *
 *   DIR/rows/          a data directory of the product's engine
 *   DIR/messages.log   the log file
 *
 * `file` makes its two syncs side by side, which is the fastest that this layout can be. A crash between them leaves a
 * row without its message or a message without its row, and nothing that could tell; recovery only ends the log at its
 * last whole message.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ReplogError } from '../../../core/errors.js'
import { GROUP_TRANSACTIONS_MAX } from '../../../core/limits.js'
import { openDataDirectory } from '../../../store/data-directory.js'
import type { Engine, EngineBatch } from '../../../store/engine.js'
import { engineContents } from './contents.js'
import { type Done, GroupCommit } from './group-commit.js'
import { LogFile } from './log-file.js'
import type { Mode, ModeContext, OpenMode } from './mode.js'
import { putRows } from './row-store.js'
import { delayedEngine } from './sync-delay.js'
import { TwoPhaseCommit, type TwoPhaseStep } from './two-phase.js'
import { FrameChain, type RowTransaction } from './workload.js'

interface Parts {
  readonly engine: Engine
  readonly log: LogFile
}

/** As `Parts`, of a mode that may have no log. */
interface StoreParts {
  readonly engine: Engine
  readonly log: LogFile | undefined
}

/** @param onStep for crash tests: see `TwoPhaseParts` */
export function twoPhaseMode(name: '2pc' | '2pc-grouped', onStep?: (step: TwoPhaseStep) => void): Mode {
  const isGrouped = name === '2pc-grouped'
  return {
    name,
    summary: isGrouped
      ? 'the same two-phase commit with group commit at each of its syncs'
      : 'two-phase commit between a row store and a log file: three syncs per transaction, atomic',
    open: (context) =>
      withParts(context, async ({ engine, log }) => {
        const { workload } = context
        const coordinator = await TwoPhaseCommit.open({
          engine,
          log,
          workload,
          groupMax: isGrouped ? GROUP_TRANSACTIONS_MAX : 1,
          ...(onStep === undefined ? {} : { onStep }),
        })
        const stop = (error: ReplogError): void => {
          coordinator.stop(error)
        }
        return openMode(context, { engine, log }, (transaction) => coordinator.commit(transaction), stop)
      }),
  }
}

export const fileMode: Mode = {
  name: 'file',
  summary: 'log file beside the store, one sync each, side by side: not atomic, a crash can part rows and log',
  open: (context) =>
    withParts(context, async ({ engine, log }) => {
      const { last } = await log.recover(context.workload.start)
      const chain = new FrameChain(context.workload, last)
      const rows = rowGroups(engine)
      const messages = new GroupCommit<Buffer, Buffer[]>(
        {
          begin: () => [],
          add: (group, frame) => {
            group.push(frame)
          },
          write: (group) => log.append(group),
          discard: async () => Promise.resolve(),
        },
        GROUP_TRANSACTIONS_MAX,
      )
      let stopped: ReplogError | undefined
      const commit = (transaction: RowTransaction): Promise<unknown> =>
        stopped === undefined
          ? Promise.all([
              entered((done) => {
                messages.enter(chain.next(transaction.statement).frame, done)
              }),
              entered((done) => {
                rows.enter(transaction, done)
              }),
            ])
          : Promise.reject(stopped)
      // Nobody is refused midway: a row and its message have both entered their groups.
      return openMode(context, { engine, log }, commit, (error) => {
        stopped = error
      })
    }),
}

export const nologMode: Mode = {
  name: 'nolog',
  summary: 'rows and index entries alone, in synced batches with group commit: nothing can be replicated',
  open: (context) =>
    withStore(context, async (engine) => {
      const rows = rowGroups(engine)
      let stopped: ReplogError | undefined
      const commit = (transaction: RowTransaction): Promise<unknown> =>
        stopped === undefined
          ? entered((done) => {
              rows.enter(transaction, done)
            })
          : Promise.reject(stopped)
      return Promise.resolve(
        openMode(context, { engine, log: undefined }, commit, (error) => {
          stopped = error
        }),
      )
    }),
}

/** Opens the store, and closes it again when `open` fails. */
async function withStore(
  { path, delayUs }: ModeContext,
  open: (engine: Engine) => Promise<OpenMode>,
): Promise<OpenMode> {
  await mkdir(path, { recursive: true })
  const { engine } = await openDataDirectory(join(path, 'rows'))
  try {
    return await open(delayedEngine(engine, delayUs))
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** As `withStore`, with the log file beside it. */
function withParts(context: ModeContext, open: (parts: Parts) => Promise<OpenMode>): Promise<OpenMode> {
  return withStore(context, async (engine) => {
    const log = await LogFile.open(join(context.path, 'messages.log'), context.delayUs)
    try {
      return await open({ engine, log })
    } catch (error) {
      await log.close()
      throw error
    }
  })
}

function openMode(
  { workload }: ModeContext,
  { engine, log }: StoreParts,
  commit: (transaction: RowTransaction) => Promise<unknown>,
  stop: (error: ReplogError) => void,
): OpenMode {
  const syncs = (): number => engine.syncs + (log?.syncs ?? 0)
  const syncsAtStart = syncs()
  return {
    commit: (ordinal) => commit(workload.transaction(ordinal)),
    get syncs() {
      return syncs() - syncsAtStart
    },
    stop() {
      stop(new ReplogError('CLOSED', 'the measurement has ended'))
    },
    async contents() {
      const rows = await engineContents(engine, workload.table)
      return { ...rows, messages: (await log?.read(workload.start))?.messages }
    },
    async close() {
      await engine.close()
      await log?.close()
    },
  }
}

/** Group commit of rows alone. */
function rowGroups(engine: Engine): GroupCommit<RowTransaction, EngineBatch> {
  return new GroupCommit<RowTransaction, EngineBatch>(
    {
      begin: () => engine.batch(),
      add: (batch, { writes }) => {
        putRows(batch, writes)
      },
      write: (batch) => batch.writeSynced(),
      discard: (batch) => batch.discard(),
    },
    GROUP_TRANSACTIONS_MAX,
  )
}

function entered(enter: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    enter((error) => {
      if (error === undefined) resolve()
      else reject(error)
    })
  })
}
