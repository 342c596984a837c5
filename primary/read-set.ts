/**
 * What a transaction on a snapshot looked at, and whether it would see the same now. (G4)
 *
 * Invariant: if `validate` passes, running the transaction again at this moment would read the same values, so it is
 * equivalent to having run at its place in the log.
 */
import { ReplogError } from '../core/errors.js'
import { TRANSACTION_READS_MAX } from '../core/limits.js'
import type { Lsn } from '../core/position.js'
import type { RecentVersions, Snapshot, TextRange } from '../store/versions.js'

const DICTIONARY_TEXT = 'D'

export class ReadSet {
  #snapshot: Snapshot
  /** Keys read, found or not, as text. */
  readonly #keys = new Set<string>()
  readonly #ranges: TextRange[] = []
  /** Dictionary keys of the tables used. */
  readonly #definitions = new Set<string>()
  /** Keys whose existence a constraint rests on; their values may change. */
  #existing: Set<string> | undefined
  /** Keys whose values a trigger has looked at, under every isolation. */
  #requiredKeys: Set<string> | undefined
  /** Ranges whose content a constraint, a definition or a trigger rests on, under every isolation. */
  readonly #requiredRanges: TextRange[] = []

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot
  }

  noteKey(text: string): void {
    this.#keys.add(text)
    if (this.#keys.size > TRANSACTION_READS_MAX) throw tooManyReads()
  }

  noteRange(range: TextRange): void {
    this.#ranges.push(range)
    if (this.#ranges.length > TRANSACTION_READS_MAX) throw tooManyReads()
  }

  noteDefinition(text: string): void {
    this.#definitions.add(text)
  }

  /** A key that exists and must still exist at the commit, whatever its value is then. */
  noteExisting(text: string): void {
    this.#existing ??= new Set()
    this.#existing.add(text)
    if (this.#existing.size > TRANSACTION_READS_MAX) throw tooManyReads()
  }

  /** A key that must have the same value at the commit even where the isolation lets reads change. */
  noteRequiredKey(text: string): void {
    this.#requiredKeys ??= new Set()
    this.#requiredKeys.add(text)
    if (this.#requiredKeys.size > TRANSACTION_READS_MAX) throw tooManyReads()
  }

  /** A range that must be the same at the commit even where the isolation lets reads change. */
  noteRequiredRange(range: TextRange): void {
    this.#requiredRanges.push(range)
    if (this.#requiredRanges.length > TRANSACTION_READS_MAX) throw tooManyReads()
  }

  /** From now on everything was read at a later snapshot, at which it was validated. */
  rebase(snapshot: Snapshot): void {
    this.#snapshot = snapshot
  }

  /**
   * For `snapshot` isolation: first committer wins on what is written; what was only read may have changed.
   * @param texts keys that the transaction writes
   * @throws ReplogError SCHEMA_CHANGED, CONFLICT, SNAPSHOT_TOO_OLD; all retryable, nothing was committed
   */
  validateWrites(versions: RecentVersions, head: Lsn, texts: readonly string[]): void {
    if (this.#snapshot.lsn === head) return
    this.#validateDefinitions(versions)
    this.#validateConstraints(versions)
    this.#validateKeys(versions, texts)
  }

  /** @throws ReplogError SCHEMA_CHANGED, CONFLICT, SNAPSHOT_TOO_OLD; all retryable, nothing was committed */
  validate(versions: RecentVersions, head: Lsn): void {
    const snapshot = this.#snapshot
    if (snapshot.lsn === head) return
    this.#validateDefinitions(versions)
    this.#validateConstraints(versions)
    this.#validateKeys(versions, this.#keys)
    for (const range of this.#ranges) {
      if (versions.rangeChangedSince(range, snapshot)) throw conflict()
    }
  }

  #validateDefinitions(versions: RecentVersions): void {
    for (const text of this.#definitions) {
      if (versions.changedSince(text, this.#snapshot)) throw schemaChanged()
    }
  }

  #validateConstraints(versions: RecentVersions): void {
    const snapshot = this.#snapshot
    for (const text of this.#existing ?? []) {
      if (versions.changedSince(text, snapshot) && versions.newest(text)?.value === undefined) throw conflict()
    }
    this.#validateKeys(versions, this.#requiredKeys ?? [])
    for (const range of this.#requiredRanges) {
      if (versions.rangeChangedSince(range, snapshot)) throw conflict()
    }
  }

  #validateKeys(versions: RecentVersions, texts: Iterable<string>): void {
    for (const text of texts) {
      if (!versions.changedSince(text, this.#snapshot)) continue
      if (text.startsWith(DICTIONARY_TEXT)) throw schemaChanged()
      throw conflict()
    }
  }
}

function tooManyReads(): ReplogError {
  return new ReplogError(
    'TRANSACTION_TOO_LARGE',
    `a transaction reads at most ${TRANSACTION_READS_MAX} keys and ranges; read less in it, or outside of it`,
  )
}

function schemaChanged(): ReplogError {
  return new ReplogError(
    'SCHEMA_CHANGED',
    'a definition that this transaction used changed since it began; nothing was committed, run it again',
  )
}

function conflict(): ReplogError {
  return new ReplogError(
    'CONFLICT',
    'another transaction changed what this one read; nothing was committed, run it again',
  )
}
