/**
 * A table message taken apart without decoding it: what is the table's own (ids, name, times), and the bytes of what
 * tables that are alike share (columns, keys, indexes, checks, comment, options). Where every catalog has the same
 * tables, the second part is decoded and compiled once for all of them.
 *
 *   table-message := id version catalog-id schema-id name                                fields 1-5
 *                    shared [created-us] [changed-us] [storage-id] shared                6-11, 12-14, 15-20
 *
 * Invariant: an outline is given only for bytes in the form that `encodeTableMessage` writes, whose own part is sound;
 * with a shared part that decodes, the whole message decodes, to the same values. A table with foreign keys, or that
 * those of others target, has none, because ids of other tables are in its definition; nor has one with fields that are
 * newer than this program.
 */
import { isCounted } from './ranges.js'
import { WIRE_LENGTH_DELIMITED, WIRE_VARINT, WireReader, makeTag } from './wire.js'

export interface TableOutline {
  readonly id: number
  readonly catalogId: number
  readonly schemaId: number
  readonly name: string
  readonly createdUs: bigint
  readonly changedUs: bigint
  readonly storageId: number
  /** Equal for tables that differ in the above alone; holds the version, too. */
  readonly likeness: string
}

const TAGS = {
  id: makeTag(1, WIRE_VARINT),
  version: makeTag(2, WIRE_VARINT),
  catalogId: makeTag(3, WIRE_VARINT),
  schemaId: makeTag(4, WIRE_VARINT),
  name: makeTag(5, WIRE_LENGTH_DELIMITED),
  createdUs: makeTag(12, WIRE_VARINT),
  changedUs: makeTag(13, WIRE_VARINT),
  storageId: makeTag(14, WIRE_VARINT),
}
const FIELD_FIRST = 6
/** Columns, primary key, indexes, next ids, comment; checks, next constraint id, options, row image. */
const SHARED_FIELDS: ReadonlySet<number> = new Set([6, 7, 8, 9, 10, 11, 16, 17, 19, 20])

const reader = new WireReader()

/**
 * Undefined for bytes in another form, which `decodeTableMessage` reads or refuses.
 * @throws ReplogError CORRUPT for bytes that are cut off
 */
export function outlineOf(bytes: Buffer): TableOutline | undefined {
  reader.reset(bytes)
  try {
    return readOutline(bytes)
  } finally {
    reader.release()
  }
}

function readOutline(bytes: Buffer): TableOutline | undefined {
  if (reader.tag() !== TAGS.id) return undefined
  const id = reader.uint32()
  if (reader.tag() !== TAGS.version) return undefined
  const version = reader.uint32()
  if (reader.tag() !== TAGS.catalogId) return undefined
  const catalogId = reader.uint32()
  if (reader.tag() !== TAGS.schemaId) return undefined
  const schemaId = reader.uint32()
  if (reader.tag() !== TAGS.name) return undefined
  const name = reader.string()
  if (![id, version, catalogId, schemaId].every(isCounted) || name.length === 0) return undefined

  let createdUs = 0n
  let changedUs = 0n
  let storageId = 0
  let likeness = `${version}:`
  let sharedStart = reader.position
  let fieldBefore = FIELD_FIRST
  while (reader.more()) {
    const start = reader.position
    const tag = reader.tag()
    const field = tag >>> 3
    const isShared = SHARED_FIELDS.has(field)
    // What is not in ascending order was not written here, and the last of two fields would count.
    if (field < fieldBefore || (field === fieldBefore && !isShared)) return undefined
    fieldBefore = field
    if (isShared) {
      reader.skip(tag)
      continue
    }
    likeness += bytes.toString('latin1', sharedStart, start)
    if (tag === TAGS.createdUs) {
      createdUs = reader.sint64()
    } else if (tag === TAGS.changedUs) {
      changedUs = reader.sint64()
    } else if (tag === TAGS.storageId) {
      storageId = reader.uint32()
    } else {
      return undefined
    }
    sharedStart = reader.position
  }
  likeness += bytes.toString('latin1', sharedStart, reader.position)
  return { id, catalogId, schemaId, name, createdUs, changedUs, storageId: storageId === 0 ? id : storageId, likeness }
}
