/** One thing that is wrong with a store: what, where, in words. The kind says what can mend it. */

/**
 * - `frame`: the log does not hold what it held at these LSNs;
 * - `row`: the value of a row is damaged, or under a key that is not its own;
 * - `entry`: an index lacks the entry of a row, or has one that stands for none;
 * - `count`: the rows of a table are not those that its statistics, a fold of the log, count;
 * - `definition`: the dictionary contradicts itself;
 * - `value`: another value of the store is damaged, or a key is of no known kind;
 * - `file`: a file of LevelDB is damaged.
 */
export type FlawKind = 'frame' | 'row' | 'entry' | 'count' | 'definition' | 'value' | 'file'

export interface Flaw {
  readonly kind: FlawKind
  /** `schema.table`, and its catalog; null where no table is concerned. */
  readonly table: string | null
  readonly catalog: string | null
  readonly storageId: number | null
  /** The first and the last key that it is about, in hex; both null where it is not about keys. */
  readonly from: string | null
  readonly to: string | null
  /** Of frames. */
  readonly lsn: string | null
  readonly message: string
}

/** Of which table flaws are told. */
export interface NamedStorage {
  readonly catalog: string
  readonly table: string
  readonly storageId: number
}

/** At a key or a range of keys. */
export function flawAt(
  kind: FlawKind,
  message: string,
  at: { readonly of?: NamedStorage; readonly from?: Uint8Array; readonly to?: Uint8Array; readonly lsn?: bigint } = {},
): Flaw {
  const { of, from, to = from, lsn } = at
  return {
    kind,
    table: of?.table ?? null,
    catalog: of?.catalog ?? null,
    storageId: of?.storageId ?? null,
    from: from === undefined ? null : Buffer.from(from).toString('hex'),
    to: to === undefined ? null : Buffer.from(to).toString('hex'),
    lsn: lsn === undefined ? null : lsn.toString(),
    message,
  }
}
