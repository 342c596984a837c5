/** All entries of a view whose keys have a prefix, a page at a time. */
import { SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import { keyText, prefixRange } from '../store/keys.js'
import type { TextRange } from '../store/versions.js'
import type { View, ViewEntry } from './read-view.js'

export interface EntriesOptions {
  /** From the last key to the first. */
  readonly reverse?: boolean
  /** Entries read at once; few where the first ones are likely enough. */
  readonly pageEntries?: number
}

export async function* entriesOf(view: View, prefix: Buffer, options: EntriesOptions = {}): AsyncGenerator<ViewEntry> {
  const { reverse = false, pageEntries = SCAN_PAGE_ROWS_MAX } = options
  let rest: TextRange | undefined = textRange(prefix)
  while (rest !== undefined) {
    const page = await view.page(rest, pageEntries, reverse)
    yield* page.entries
    rest = page.rest
  }
}

/** The keys with a prefix. */
export function textRange(prefix: Buffer): TextRange {
  const { from, to } = prefixRange(prefix)
  return { from: keyText(Buffer.from(from)), to: keyText(Buffer.from(to)) }
}
