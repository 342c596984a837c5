/**
 * The row store as a participant of a two-phase commit, on an engine of its own.
 *
 *   row, index := as in store/keys.ts, sealed as there
 *   prepared   := 'P' lsn → undo          a transaction whose rows are in place and whose outcome is open
 *   undo       := change*                 one per key that it wrote, in order
 *   change     := u32 length of key, key, u32 (0: was absent; else 1 + length of before), before
 *   mark       := 'M' "committed" → lsn   every transaction up to here is committed
 *   integers little-endian, but lsn in keys: u64 big-endian
 *
 * Prepare writes the rows where they belong, with what takes them back beside them; commit only removes the undo and
 * moves the mark. So row bytes are written once, as in an undo/redo store such as InnoDB, and not in the prepare record
 * and again at commit. All of a step is one synced batch.
 *
 * Invariants
 * - a row of a prepared transaction can be told from a committed one: its undo is there;
 * - after `resolve` no transaction is prepared, rows are those of the transactions up to the last one in the log, and
 *   this is durable;
 * - the mark never passes the log: a log that ends before it has lost what was acknowledged, which is CORRUPT.
 */
import { ReplogError } from '../../../core/errors.js'
import { type Lsn, LSN_ZERO } from '../../../core/position.js'
import type { Engine, EngineBatch } from '../../../store/engine.js'
import { metaKey, prefixRange } from '../../../store/keys.js'
import { seal, unseal } from '../../../store/seal.js'
import type { WriteSet } from '../../../store/write-set.js'
import { entriesOf } from './contents.js'

const PREPARED_PREFIX = 0x50 // P
const PREPARED = Buffer.of(PREPARED_PREFIX)
const MARK = metaKey('committed')
const U32_BYTES = 4

/** Adds the rows and index entries of a transaction, sealed as the product's store does. */
export function putRows(batch: EngineBatch, { keys, afters }: WriteSet): void {
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at]!
    const after = afters[at]
    if (after === undefined) batch.del(key)
    else batch.put(key, seal(key, after))
  }
}

export function prepareInto(batch: EngineBatch, lsn: Lsn, writes: WriteSet): void {
  const key = preparedKey(lsn)
  batch.put(key, seal(key, encodeUndo(writes)))
  putRows(batch, writes)
}

/** What every transaction of a group needs; the mark follows once, with `markInto`. */
export function commitInto(batch: EngineBatch, lsn: Lsn): void {
  batch.del(preparedKey(lsn))
}

export function markInto(batch: EngineBatch, lsn: Lsn): void {
  const payload = Buffer.allocUnsafe(8)
  payload.writeBigUInt64LE(lsn)
  batch.put(MARK, seal(MARK, payload))
}

/** How the transactions that a crash left prepared were ended. */
export interface Resolved {
  readonly committed: readonly Lsn[]
  readonly rolledBack: readonly Lsn[]
}

/**
 * Ends every prepared transaction: commits it when the log has its message, rolls it back when not. Call it with the
 * end of a log that is durable, and before anything new is prepared.
 * @throws ReplogError CORRUPT when the log ends before the mark
 */
export async function resolvePrepared(engine: Engine, lastLogged: Lsn): Promise<Resolved> {
  const marked = markOf(engine)
  if (marked > lastLogged) {
    throw new ReplogError(
      'CORRUPT',
      `the log ends at LSN ${lastLogged}, but transactions up to ${marked} were committed; restore the log file`,
    )
  }
  const committed: Lsn[] = []
  const undone: { readonly lsn: Lsn; readonly undo: Buffer }[] = []
  for await (const { key, value } of entriesOf(engine, prefixRange(PREPARED))) {
    const lsn = key.readBigUInt64BE(1) as Lsn
    const undo = unseal(key, value)
    if (lsn <= lastLogged) committed.push(lsn)
    else undone.push({ lsn, undo })
  }
  if (committed.length + undone.length === 0) return { committed: [], rolledBack: [] }

  const batch = engine.batch()
  for (const lsn of committed) commitInto(batch, lsn)
  // The newest first: each undo restores what was there before its own transaction.
  for (const { lsn, undo } of undone.toReversed()) {
    undoInto(batch, undo)
    batch.del(preparedKey(lsn))
  }
  markInto(batch, lastLogged)
  await batch.writeSynced()
  return { committed, rolledBack: undone.map(({ lsn }) => lsn) }
}

/** The LSN up to which everything is committed. */
export function markOf(engine: Engine): Lsn {
  const value = engine.get(MARK)
  return value === undefined ? LSN_ZERO : (unseal(MARK, value).readBigUInt64LE(0) as Lsn)
}

function preparedKey(lsn: Lsn): Buffer {
  const key = Buffer.allocUnsafe(9)
  key[0] = PREPARED_PREFIX
  key.writeBigUInt64BE(lsn, 1)
  return key
}

function encodeUndo({ keys, befores }: WriteSet): Buffer {
  let bytes = 0
  for (let at = 0; at < keys.length; at++) bytes += 2 * U32_BYTES + keys[at]!.length + (befores[at]?.length ?? 0)
  const undo = Buffer.allocUnsafe(bytes)
  let offset = 0
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at]!
    const before = befores[at]
    offset = undo.writeUInt32LE(key.length, offset)
    offset += key.copy(undo, offset)
    offset = undo.writeUInt32LE(before === undefined ? 0 : before.length + 1, offset)
    if (before !== undefined) offset += before.copy(undo, offset)
  }
  return undo
}

function undoInto(batch: EngineBatch, undo: Buffer): void {
  const changes: { readonly key: Buffer; readonly before: Buffer | undefined }[] = []
  for (let offset = 0; offset < undo.length;) {
    const keyBytes = undo.readUInt32LE(offset)
    const key = undo.subarray(offset + U32_BYTES, offset + U32_BYTES + keyBytes)
    offset += U32_BYTES + keyBytes
    const held = undo.readUInt32LE(offset)
    offset += U32_BYTES
    changes.push({ key, before: held === 0 ? undefined : undo.subarray(offset, offset + held - 1) })
    offset += Math.max(0, held - 1)
  }
  for (const { key, before } of changes.reverse()) {
    if (before === undefined) batch.del(key)
    else batch.put(key, seal(key, before))
  }
}
