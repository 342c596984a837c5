/**
 * The modes that run the product itself: an embedded primary that executes one-row insert transactions. `batch` is the
 * product as it is; `nosync` is the same on an engine that does not sync.
 *
 * They do what the other modes leave out: names are looked up, values checked, duplicates looked for, statistics kept.
 * So the comparison is not in their favour.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { Primary } from '../../../primary/primary.js'
import { openDataDirectory } from '../../../store/data-directory.js'
import type { Engine } from '../../../store/engine.js'
import { UnsyncedEngine } from '../../../store/unsynced-engine.js'
import { isReplogError } from '../../../core/errors.js'
import { catalogIdentifier, DEFAULT_CATALOG_NAME } from '../../../ddl/identifiers.js'
import { engineContents } from './contents.js'
import type { Mode, ModeContext, ModeName, OpenMode } from './mode.js'
import { delayedEngine } from './sync-delay.js'
import { CREATE_TABLE, TABLE_NAME } from './workload.js'

export const batchMode = primaryMode(
  'batch',
  'rows and message in one synced batch with group commit: the commit path of replog',
  async (path) => (await openDataDirectory(path)).engine,
)

export const nosyncMode = primaryMode(
  'nosync',
  'the same without any sync, as under eatmydata: a power cut loses acknowledged transactions',
  (path) => UnsyncedEngine.open(path),
)

function primaryMode(name: ModeName, summary: string, openEngine: (path: string) => Promise<Engine>): Mode {
  return {
    name,
    summary,
    async open(context) {
      const { path, delayUs } = context
      const engine = await openEngine(join(path, 'data'))
      // No sync, no slower sync.
      const used = name === 'nosync' ? engine : delayedEngine(engine, delayUs)
      // Every message of its log is one of the workload.
      const primary = await Primary.open({ path, engine: used, verifyIntervalMs: 0 }).catch(async (error: unknown) => {
        await engine.close()
        throw error
      })
      try {
        await createTable(primary, context)
        return openMode(primary, engine, context)
      } catch (error) {
        await primary.close()
        throw error
      }
    },
  }
}

async function createTable(primary: Primary, { workload }: ModeContext): Promise<void> {
  try {
    await primary.catalog().execute([CREATE_TABLE])
  } catch (error) {
    if (!isReplogError(error, 'ALREADY_EXISTS')) throw error
  }
  const { names, state } = primary
  const { table } = names.lookup(catalogIdentifier(DEFAULT_CATALOG_NAME), TABLE_NAME, undefined, state.readNewest)
  assert(table.id === workload.table.id && table.version === workload.table.version, 'every mode has the same table')
}

function openMode(primary: Primary, engine: Engine, { workload }: ModeContext): OpenMode {
  const catalog = primary.catalog()
  const syncsAtStart = engine.syncs
  return {
    commit: (ordinal) => catalog.execute([workload.insert(ordinal)]),
    get syncs() {
      return engine.syncs - syncsAtStart
    },
    stop() {
      primary.lane.close()
    },
    async contents() {
      // One message per LSN; those before the first row made the catalog and the table.
      const messages = Number(primary.position.lsn - workload.start.lsn)
      return { ...(await engineContents(engine, workload.table)), messages }
    },
    close: () => primary.close(),
  }
}
