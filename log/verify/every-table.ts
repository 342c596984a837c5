/** All definitions of tables in a store, catalog by catalog, page by page: what a scrub, a verify and a marker go through. */
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { keyAfter, prefixRange, tableKindPrefix } from '../../store/keys.js'
import type { Store } from '../../store/store.js'

/** The encoded table messages as they are stored. @throws ReplogError CORRUPT, CLOSED */
export async function* everyTable(store: Store): AsyncGenerator<Buffer> {
  const { from, to } = prefixRange(tableKindPrefix())
  for (let next: Uint8Array = from; ;) {
    const page = await store.page(
      { from: next, to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    for (const { value } of page.entries) yield value
    if (page.exhausted) return
    next = keyAfter(page.entries.at(-1)!.key)
  }
}
