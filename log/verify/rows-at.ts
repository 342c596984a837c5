/**
 * The rows of one storage at one LSN of this log, from the pages of a peer that is ahead of it or behind it. Exact:
 *
 *   the peer is ahead, at P:    a row that changed in (LSN, P] is the image before its first change there
 *   the peer is behind, at P:   a row that changed in (P, LSN] is the image after its last change there
 *   all other rows:             as the peer has them
 *
 * The changes are those of the log: the peer's frames behind the LSN, verified to continue this log, or frames of this log.
 * Where a table's messages leave the row before out (row image MINIMAL), it is the one that this store has.
 */
import { ReplogError } from '../../core/errors.js'
import { REPAIR_CHANGES_MAX } from '../../core/limits.js'
import { type Lsn, type Position } from '../../core/position.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { keyText } from '../../store/keys.js'
import { ChainVerifier } from '../codec/chain-verifier.js'
import type { Frame } from '../codec/frame.js'
import type { RowChange, Transaction } from '../codec/message.js'
import { decodeTransaction } from '../codec/transaction-codec.js'
import type { RepairPeer } from './repair-peer.js'
import { transactionsOf } from './repair-log.js'
import type { RowSource } from './row-source.js'

interface Change {
  readonly lsn: Lsn
  /** The row that it was before, or is after; undefined is none. */
  readonly image: Buffer | undefined
}

/** A key of a row that a message changes. */
export interface KeyChange {
  readonly key: Buffer
  readonly text: string
  readonly before: Buffer | undefined | 'left out'
  readonly after: Buffer | undefined
}

export class RowsAt {
  readonly #source: RowSource
  readonly #peer: RepairPeer
  readonly #tableId: number
  readonly #storageId: number
  readonly #at: Position
  /** Images before the first change behind the LSN, as far as the peer's log was read. */
  readonly #undo = new Map<string, Change>()
  /** Images after the last change up to the LSN. */
  readonly #redo = new Map<string, Change>()
  readonly #versions = new Map<string, CompiledTable>()
  #ahead: AsyncGenerator<readonly Frame[]> | undefined
  /** As far as the peer's log was read. */
  #reached: Position

  constructor(source: RowSource, peer: RepairPeer, tableId: number, storageId: number, at: Position) {
    this.#tableId = tableId
    this.#source = source
    this.#peer = peer
    this.#storageId = storageId
    this.#at = at
    this.#reached = at
  }

  /** Reads what this server's own log changed behind the LSN where the peer stands. */
  async followOwn(frames: AsyncIterable<readonly Frame[]>): Promise<void> {
    for await (const whole of frames) {
      const { lsn } = whole[0]!
      for (const { text, after } of this.#changesOf(whole)) this.#note(this.#redo, text, { lsn, image: after })
    }
  }

  /** Reads what the peer's log changed up to this LSN. @throws ReplogError DIVERGED, HISTORY_LOST, LIMIT */
  async followPeer(lsn: Lsn): Promise<void> {
    while (this.#reached.lsn < lsn) {
      const next = await this.#nextOfPeer()
      for (const change of this.#changesOf(next)) {
        const { text } = change
        if (!this.#undo.has(text)) this.#note(this.#undo, text, { lsn: next[0]!.lsn, image: this.#imageBefore(change) })
      }
    }
  }

  /** The rows of a page that the peer read at `lsn`, as they were at this server's LSN; by key as text. */
  rowsOf(
    lsn: Lsn,
    rows: readonly { readonly key: Buffer; readonly payload: Buffer }[],
    from: string,
    to: string,
  ): Map<string, Buffer> {
    const found = new Map(rows.map(({ key, payload }) => [keyText(key), payload]))
    const put = (changes: ReadonlyMap<string, Change>, holds: (change: Change) => boolean): void => {
      for (const [text, change] of changes) {
        if (text < from || text >= to || !holds(change)) continue
        if (change.image === undefined) found.delete(text)
        else found.set(text, change.image)
      }
    }
    if (lsn > this.#at.lsn) put(this.#undo, (change) => change.lsn <= lsn)
    else put(this.#redo, (change) => change.lsn > lsn)
    return found
  }

  async #nextOfPeer(): Promise<readonly Frame[]> {
    for (let tries = 0; tries < 2; tries++) {
      this.#ahead ??= transactionsOf(this.#peer, this.#reached.lsn, new ChainVerifier(this.#reached))
      const next = await this.#ahead.next()
      if (next.done !== true) {
        const { epoch, lsn, digest } = next.value.at(-1)!
        this.#reached = { epoch, lsn, digest: Buffer.from(digest) }
        return next.value
      }
      // It ended where the peer's log did when it was asked.
      this.#ahead = undefined
    }
    throw new ReplogError('PROTOCOL', `${this.#peer.url} read rows at an LSN that its log does not have; try again`)
  }

  #note(changes: Map<string, Change>, text: string, change: Change): void {
    changes.set(text, change)
    if (changes.size <= REPAIR_CHANGES_MAX) return
    throw new ReplogError(
      'LIMIT',
      `the peer and this log are so far apart that more than ${REPAIR_CHANGES_MAX} rows changed in between; ` +
        'use a peer that is closer, or clone this server anew',
    )
  }

  /** What a transaction changes in the storage, key by key. */
  #changesOf(frames: readonly Frame[]): KeyChange[] {
    const transaction = decodeTransaction(frames.map(({ payload }) => payload))
    this.#learn(transaction)
    const changes: KeyChange[] = []
    for (const statement of transaction.statements) {
      if (!('rows' in statement) || statement.tableId !== this.#tableId) continue
      const table = this.#version(statement.tableId, statement.tableVersion)
      if (table.storageId !== this.#storageId) continue
      for (const change of statement.rows) changes.push(...keyChanges(table, change))
    }
    return changes
  }

  /** The image before a change of a message that leaves it out: that of this store, which no change came before. */
  #imageBefore({ key, text, before }: KeyChange): Buffer | undefined {
    return before === 'left out' ? this.#source.read(key, text) : before
  }

  /** As the log defines it, of which the store here knows only what is up to its LSN. */
  #version(tableId: number, version: number): CompiledTable {
    const known = this.#versions.get(`${tableId}.${version}`)
    if (known !== undefined) return known
    return this.#source.dictionary.tableVersion(this.#source.read, tableId, version)
  }

  /** Learns the versions of tables that a transaction makes. */
  #learn(transaction: Transaction): void {
    for (const statement of transaction.statements) {
      const defined = statement.kind === 'renameTables' ? statement.tables.map(({ after }) => after) : []
      if ('after' in statement && 'columns' in statement.after) defined.push(statement.after)
      for (const after of defined) this.#versions.set(`${after.id}.${after.version}`, new CompiledTable(after))
    }
  }
}

/** The keys that one change of a row is about. @throws ReplogError CORRUPT */
export function keyChanges(table: CompiledTable, { key, before, after }: RowChange): KeyChange[] {
  const keyOf = (image: Uint8Array): Buffer => table.rowKey(table.rows.decode(image))
  const old = before ?? key
  const oldKey = old && keyOf(old)
  const newKey = after && keyOf(after)
  const isSameKey = oldKey !== undefined && newKey?.equals(oldKey) === true
  const changes: KeyChange[] = []
  const imageBefore = before === undefined ? 'left out' : Buffer.from(before)
  if (oldKey !== undefined && !isSameKey) {
    changes.push({ key: oldKey, text: keyText(oldKey), before: imageBefore, after: undefined })
  }
  if (newKey !== undefined) {
    const image = Buffer.from(after!)
    changes.push({ key: newKey, text: keyText(newKey), before: isSameKey ? imageBefore : undefined, after: image })
  }
  return changes
}
