/**
 * Reads every block of a LevelDB table file and holds it against its checksum, which LevelDB as it is bundled does not do
 * when it reads.
 *
 *   table  := block* footer                       data blocks, filter, metaindex, index; one behind the other
 *   block  := content type crc                    type: u8, 0 plain or 1 Snappy; crc: u32 LE, masked CRC-32C of both before
 *   footer := metaindex-handle index-handle zeros magic        48 bytes
 *   handle := offset size                         varints; the size is that of the content
 *
 * The index and metaindex blocks hold the handles of the others as their values. Format: google/leveldb, doc/table_format.md.
 * Invariant: every byte of the file is in a block or in the footer, and is checked.
 */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isReplogError } from '../core/errors.js'
import { crc32c, maskCrc32c } from './crc32c.js'
import { liveTables } from './preflight.js'
import { snappyContent } from './snappy.js'

const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')
const TRAILER_BYTES = 5
const SNAPPY = 1

export interface TableFileFlaw {
  readonly file: string
  readonly flaw: string
}

/**
 * All table files of the store in a directory that nobody has open; where its MANIFEST cannot be read, all that are there.
 * @param onFile told of each file before it is read, with its place among all
 */
export async function checkTableFiles(
  directory: string,
  onFile: (file: string, share: number) => void,
): Promise<TableFileFlaw[]> {
  const live = await liveTables(directory).catch((error: unknown) => {
    if (isReplogError(error, 'CORRUPT')) return undefined
    throw error
  })
  const names = (await readdir(directory))
    .filter((name) => /\.(ldb|sst)$/.test(name) && live?.has(Number.parseInt(name, 10)) !== false)
    .sort()
  const flaws: TableFileFlaw[] = []
  for (const [ordinal, name] of names.entries()) {
    onFile(name, ordinal / names.length)
    const file = join(directory, name)
    const flaw = tableFlaw(await readFile(file))
    if (flaw !== undefined) flaws.push({ file, flaw })
  }
  return flaws
}

class Damage extends Error {}

interface Handle {
  readonly offset: number
  readonly size: number
}

/** What is wrong with the bytes of a table; undefined when it is sound. */
export function tableFlaw(bytes: Buffer): string | undefined {
  try {
    check(bytes)
    return undefined
  } catch (error) {
    if (error instanceof Damage) return error.message
    throw error
  }
}

function check(bytes: Buffer): void {
  const footerAt = bytes.length - FOOTER_BYTES
  if (footerAt < 0) throw new Damage('it is too short for a table')
  if (!bytes.subarray(bytes.length - MAGIC.length).equals(MAGIC)) throw new Damage('its end has not the magic number')
  const footer = new Cursor(bytes, footerAt, bytes.length - MAGIC.length)
  const metaindex = footer.handle()
  const index = footer.handle()
  if (!footer.isZeros()) throw new Damage('its footer is damaged')
  const handles = [metaindex, index]
  for (const block of [metaindex, index]) handles.push(...handlesIn(content(bytes, block, footerAt), block))
  for (const handle of handles) content(bytes, handle, footerAt)
  // Blocks lie one behind the other, so a handle that leads elsewhere shows as a gap.
  handles.sort((one, other) => one.offset - other.offset)
  let end = 0
  for (const { offset, size } of handles) {
    if (offset !== end) throw new Damage(`no block begins at offset ${end}`)
    end = offset + size + TRAILER_BYTES
  }
  if (end !== footerAt) throw new Damage(`bytes that belong to no block begin at offset ${end}`)
}

/** The checked content of a block, as it is stored. */
function content(bytes: Buffer, { offset, size }: Handle, end: number): { data: Buffer; type: number } {
  const typeAt = offset + size
  if (typeAt + TRAILER_BYTES > end) throw new Damage(`the block at offset ${offset} reaches beyond the file`)
  if (maskCrc32c(crc32c(bytes, offset, typeAt + 1)) !== bytes.readUInt32LE(typeAt + 1)) {
    throw new Damage(`the block at offset ${offset} fails its checksum`)
  }
  return { data: bytes.subarray(offset, typeAt), type: bytes[typeAt]! }
}

/** The handles that the entries of a block hold. */
function handlesIn({ data, type }: { data: Buffer; type: number }, { offset }: Handle): Handle[] {
  const plain = type === SNAPPY ? snappyContent(data) : data
  if (plain === undefined || plain.length < 4) throw new Damage(`the block at offset ${offset} does not unpack`)
  const restarts = plain.readUInt32LE(plain.length - 4)
  const entriesEnd = plain.length - 4 - restarts * 4
  if (entriesEnd < 0) throw new Damage(`the block at offset ${offset} is malformed`)
  const cursor = new Cursor(plain, 0, entriesEnd)
  const handles: Handle[] = []
  while (cursor.at < entriesEnd) {
    cursor.varint()
    const unshared = cursor.varint()
    const valueBytes = cursor.varint()
    cursor.at += unshared
    const valueEnd = cursor.at + valueBytes
    if (valueEnd > entriesEnd) throw new Damage(`the block at offset ${offset} is malformed`)
    handles.push(cursor.handle())
    cursor.at = valueEnd
  }
  return handles
}

class Cursor {
  readonly #bytes: Buffer
  readonly #end: number
  at: number

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes
    this.at = at
    this.#end = end
  }

  handle(): Handle {
    return { offset: this.varint(), size: this.varint() }
  }

  varint(): number {
    let value = 0
    for (let shift = 0; shift < 49; shift += 7) {
      if (this.at >= this.#end) break
      const byte = this.#bytes[this.at++]!
      value += (byte & 0x7f) * 2 ** shift
      // A flipped bit may lengthen a number by a zero behind it, which LevelDB does not write.
      if (byte === 0 && shift > 0) break
      if (byte < 0x80) return value
    }
    throw new Damage('a place in it is malformed')
  }

  /** Whether nothing else follows. */
  isZeros(): boolean {
    return this.#bytes.subarray(this.at, this.#end).every((byte) => byte === 0)
  }
}
