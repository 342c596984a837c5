/**
 * `map<string, string>` fields by hand: annotations of a transaction, options of a definition.
 *
 *   map   := (tag entry)*                               a repeated message
 *   entry := length key value                           fields 1 and 2, both there even when they are empty
 *
 * protobufjs is no help here: it writes the entries in the order of an object's properties, in which names like "10"
 * come first, so that the order would not be ours to choose.
 *
 * Invariant: the size functions foretell what the write functions write. Any name is kept, "__proto__" too.
 */
import {
  delimitedSize,
  readMessage,
  skipUnknown,
  stringSize,
  varintSize,
  writeString,
  writeVarint,
  type WireReader,
} from './wire.js'

const KEY_TAG = 0x0a
const VALUE_TAG = 0x12

/** Names and values, which must be well formed. */
export type StringEntry = readonly [name: string, value: string]

/** Bytes of all entries with their tags. */
export function stringMapSize(tag: number, entries: readonly StringEntry[]): number {
  let size = 0
  for (const entry of entries) size += varintSize(tag) + delimitedSize(entrySize(entry))
  return size
}

/** Writes the entries in the order given. */
export function writeStringMap(buffer: Buffer, offset: number, tag: number, entries: readonly StringEntry[]): number {
  for (const entry of entries) {
    offset = writeVarint(buffer, offset, tag)
    offset = writeVarint(buffer, offset, entrySize(entry))
    buffer[offset++] = KEY_TAG
    offset = writeString(buffer, offset, entry[0])
    buffer[offset++] = VALUE_TAG
    offset = writeString(buffer, offset, entry[1])
  }
  return offset
}

/** The entry behind a tag of the map. @throws ReplogError CORRUPT */
export function readStringEntry(reader: WireReader, what: string): StringEntry {
  let key = ''
  let value = ''
  readMessage(reader, (tag) => {
    if (tag === KEY_TAG) key = reader.string()
    else if (tag === VALUE_TAG) value = reader.string()
    else skipUnknown(reader, tag, 2, what)
  })
  return [key, value]
}

function entrySize([name, value]: StringEntry): number {
  return 2 + stringSize(name) + stringSize(value)
}
