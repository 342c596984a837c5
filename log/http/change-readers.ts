/**
 * Those who read changes over HTTP: how many there may be, how far they are, and what became of those that were cut.
 *
 * Invariant: each has a place from before its stream begins until its connection is gone, however that comes.
 */
import { ReplogError } from '../../core/errors.js'
import { CATALOG_CHANGE_READERS_MAX, CHANGE_READERS_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { ChangeReadersStatus } from '../status.js'
import { CHANGE_READERS_LISTED_MAX } from './bounds.js'

export interface ChangeReaderLimits {
  readonly server: number
  readonly catalog: number
}

export interface ChangeReader {
  readonly catalog: string
  readonly address: string
  readonly since: Date
  /** Up to where the log was read for it. */
  lsn: () => Lsn
  /** Bytes that are made and not taken. */
  heldBytes: () => number
  /** Changes. */
  sent: number
}

export class ChangeReaders {
  readonly #state: ReplicatedState
  readonly #limits: ChangeReaderLimits
  readonly #readers = new Set<ChangeReader>()
  /** Of those that are gone. */
  #sent = 0
  #refused = 0
  #cut = 0
  #lastCut: ChangeReadersStatus['lastCut'] = null

  constructor(state: ReplicatedState, limits: Partial<ChangeReaderLimits> = {}) {
    this.#state = state
    const { server = CHANGE_READERS_MAX, catalog = CATALOG_CHANGE_READERS_MAX } = limits
    this.#limits = { server, catalog }
  }

  /** Takes a place, which is to be left. @throws ReplogError LIMIT */
  enter(catalog: string, address: string): ChangeReader {
    const { server, catalog: ofCatalog } = this.#limits
    if (this.#readers.size >= server) throw this.#refuse(`this server has ${server} change streams`)
    let count = 0
    for (const reader of this.#readers) if (reader.catalog === catalog) count++
    if (count >= ofCatalog) {
      throw this.#refuse(`catalog ${JSON.stringify(catalog)} has ${ofCatalog} change streams on this server`)
    }
    const { lsn } = this.#state.durable
    const reader = { catalog, address, since: new Date(), lsn: () => lsn, heldBytes: () => 0, sent: 0 }
    this.#readers.add(reader)
    return reader
  }

  leave(reader: ChangeReader): void {
    if (this.#readers.delete(reader)) this.#sent += reader.sent
  }

  /** Notes that a reader is cut off by this server. */
  noteCut({ catalog, address }: ChangeReader, reason: string): void {
    this.#cut++
    this.#lastCut = { at: new Date().toISOString(), catalog, address, reason }
  }

  status(): ChangeReadersStatus {
    const head = this.#state.durable.lsn
    let sent = this.#sent
    const readers = [...this.#readers].map((reader) => {
      const { catalog, address, since } = reader
      const lsn = reader.lsn()
      sent += reader.sent
      return {
        catalog,
        address,
        since: since.toISOString(),
        lsn: lsn.toString(),
        lagTransactions: Math.max(0, Number(head - lsn)),
        sent: reader.sent,
        heldBytes: reader.heldBytes(),
      }
    })
    readers.sort((left, right) => right.lagTransactions - left.lagTransactions)
    return {
      open: readers.length,
      sent,
      refused: this.#refused,
      cut: this.#cut,
      lastCut: this.#lastCut,
      readers: readers.slice(0, CHANGE_READERS_LISTED_MAX),
    }
  }

  #refuse(what: string): ReplogError {
    this.#refused++
    return new ReplogError('LIMIT', `${what}, which is as many as it may have; try again later, or ask another server`)
  }
}
