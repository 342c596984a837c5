/**
 * The records of a LevelDB MANIFEST and the state they add up to (db/version_edit.cc of LevelDB 1.20).
 *
 *   edit        := field*
 *   field       := 1 string                          comparator
 *                | 2 number                          log number: older logs are no longer needed
 *                | 3 number                          next file number
 *                | 4 number                          last sequence
 *                | 5 level string                    compaction pointer
 *                | 6 level number                    table deleted
 *                | 7 level number size string string table added: file number, bytes, smallest and largest key
 *                | 9 number                          previous log number (unused since LevelDB 1.1)
 *   string      := varint length, bytes
 *   number, level, size, tags := varint
 *
 * The newest value of each scalar counts; within one edit tables are deleted before others are added.
 */

export interface ManifestState {
  comparator: string | undefined
  logNumber: number | undefined
  previousLogNumber: number
  nextFileNumber: number | undefined
  lastSequence: number | undefined
  /** Size in bytes of every live table, by file number. */
  readonly tables: Map<number, number>
}

const COMPARATOR = 1
const LOG_NUMBER = 2
const NEXT_FILE_NUMBER = 3
const LAST_SEQUENCE = 4
const COMPACT_POINTER = 5
const DELETED_FILE = 6
const NEW_FILE = 7
const PREVIOUS_LOG_NUMBER = 9

export function emptyManifestState(): ManifestState {
  return {
    comparator: undefined,
    logNumber: undefined,
    previousLogNumber: 0,
    nextFileNumber: undefined,
    lastSequence: undefined,
    tables: new Map(),
  }
}

/** Applies the edit `bytes[start..end)` to the state. Returns what is wrong with it, if anything. */
export function applyVersionEdit(state: ManifestState, bytes: Buffer, start: number, end: number): string | undefined {
  const input = new EditInput(bytes, start, end)
  const deleted: number[] = []
  const added: [number: number, size: number][] = []
  while (!input.atEnd) {
    const tag = input.number()
    switch (tag) {
      case COMPARATOR:
        state.comparator = input.string().toString('utf8')
        break
      case LOG_NUMBER:
        state.logNumber = input.number()
        break
      case NEXT_FILE_NUMBER:
        state.nextFileNumber = input.number()
        break
      case LAST_SEQUENCE:
        state.lastSequence = input.number()
        break
      case COMPACT_POINTER:
        input.number()
        input.string()
        break
      case DELETED_FILE:
        input.number()
        deleted.push(input.number())
        break
      case NEW_FILE:
        input.number()
        added.push([input.number(), input.number()])
        input.string()
        input.string()
        break
      case PREVIOUS_LOG_NUMBER:
        state.previousLogNumber = input.number()
        break
      default:
        return `the version edit has a field of unknown kind ${tag}`
    }
    if (input.failed) return `the version edit is cut off in a field of kind ${tag}`
  }
  for (const number of deleted) state.tables.delete(number)
  for (const [number, size] of added) state.tables.set(number, size)
  return undefined
}

class EditInput {
  failed = false
  readonly #bytes: Buffer
  readonly #end: number
  #at: number

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get atEnd(): boolean {
    return this.#at >= this.#end
  }

  /** File numbers, sizes and sequences stay far below 2^53; a larger one is damage. */
  number(): number {
    let value = 0
    let scale = 1
    while (this.#at < this.#end) {
      const byte = this.#bytes[this.#at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) this.failed = true
        return value
      }
      scale *= 128
    }
    this.failed = true
    return 0
  }

  string(): Buffer {
    const length = this.number()
    if (length > this.#end - this.#at) {
      this.failed = true
      this.#at = this.#end
      return Buffer.alloc(0)
    }
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, this.#at)
  }
}
