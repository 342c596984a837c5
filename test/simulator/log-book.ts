/**
 * The history of a simulated cluster from LSN 1 on, of which servers purge the beginning: whoever purges, or copies a server
 * with a log that begins later, has what the others may lose noted here first.
 */
import assert from 'node:assert/strict'
import { LSN_MAX, LSN_ZERO, type Lsn } from '../../core/position.js'
import { LOG_FLOOR_META, decodeLogFloor } from '../../log/log-floor.js'
import { readWholeFrame } from '../../log/codec/frame.js'
import { logRange, parseLogKey } from '../../store/keys.js'
import type { MemoryEngine } from '../../store/memory-engine.js'
import { unseal } from '../../store/seal.js'
import type { StoreContents } from '../crash/store-contents.js'

export class LogBook {
  readonly frames: StoreContents['log'] = []

  /** Notes what the log on a disk has, up to an LSN, and was not noted before. */
  async note(disk: MemoryEngine, upTo: Lsn): Promise<void> {
    const noted = this.#end
    assert(floorOf(disk) <= noted, 'what a log does not hold any more was noted before')
    const all = { entriesMax: Infinity, bytesMax: Infinity, reverse: false }
    const { entries } = await disk.page(logRange(noted, LSN_MAX), all)
    for (const { key, value } of entries) {
      const { lsn, segment } = parseLogKey(key)
      if (lsn > noted && lsn <= upTo) this.frames.push({ lsn, segment, frame: readWholeFrame(value) })
    }
  }

  get #end(): Lsn {
    return this.frames.at(-1)?.lsn ?? LSN_ZERO
  }
}

/** The newest transaction that the log on a disk does not hold. */
export function floorOf(disk: MemoryEngine): Lsn {
  const record = disk.get(LOG_FLOOR_META)
  return record === undefined ? LSN_ZERO : decodeLogFloor(unseal(LOG_FLOOR_META, record)).position.lsn
}
