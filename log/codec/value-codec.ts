/**
 * What a column type can do: take a value from an application, write it as a protobuf field and as a part of a key.
 * The codec of each type is in `types/`; this file holds what they have in common, `type-codecs.ts` finds one.
 *
 * Invariants, held by every codec:
 * - `accept` never loses or rounds: it returns the value exactly or throws INVALID_VALUE;
 * - what `accept` returns is immutable or a copy, so a caller's later change to its input cannot reach the log;
 * - `read(write(v))` is `v`, and equal values have equal bytes, in rows and in keys;
 * - `write` and `key.write` trust the value (it came from `accept` or `read`); `read` and `key.read` trust nothing
 *   and throw only CORRUPT.
 *
 * Codecs are plain objects of one shape whose methods do not use `this`, so that calls through a row's list of codecs
 * stay monomorphic property loads.
 */
import type { ColumnType, JsonValue, Value } from './column-type.js'
import type { KeyReader } from './types/key-reader.js'
import type { WireReader } from './wire.js'

/** A value that is not SQL NULL. */
export type StoredValue = Exclude<Value, null>

export type ProtoType = 'bool' | 'sint32' | 'sint64' | 'double' | 'string' | 'bytes' | 'uint32'

export interface ValueCodec<V extends StoredValue = StoredValue> {
  readonly type: ColumnType
  /** The field's type in the row's `.proto`. */
  readonly protoType: ProtoType
  readonly wireType: 0 | 1 | 2
  /**
   * The stored form of an embedded or JSON value other than null.
   * @throws ReplogError INVALID_VALUE that names the type and the bound; the caller adds the column's name.
   */
  accept(input: unknown): V
  toJson(value: V): JsonValue
  /** At least the bytes that `write` will write. */
  sizeMax(value: V): number
  /** Writes the row field behind its tag and returns its end. The buffer has `sizeMax(value)` bytes of room. */
  write(value: V, buffer: Buffer, offset: number): number
  /** Reads the row field behind its tag. @throws ReplogError CORRUPT */
  read(reader: WireReader): V
  /** How the type is part of a key; undefined when it cannot be (JSON). */
  readonly key: KeyCodec<V> | undefined
}

/** One part of a key tuple in ascending form; `tuple.ts` adds NULL and descending order. See ROWS.md. */
export interface KeyCodec<V extends StoredValue = StoredValue> {
  /**
   * Writes a part, whose first byte is never 0x00, and returns its end. The buffer has `KEY_PART_BYTES_ROOM` of room.
   * @throws ReplogError TOO_LARGE for a value that no key holds, INVALID_VALUE for one that has no order (-0).
   */
  write(value: V, buffer: Buffer, offset: number): number
  /** @throws ReplogError CORRUPT */
  read(reader: KeyReader): V
  /** Passes over a part. @throws ReplogError CORRUPT */
  skip(reader: KeyReader): void
}
