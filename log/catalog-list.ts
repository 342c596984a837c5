/**
 * The catalogs of a server in the order of their names, some at a time: what both roles list.
 *
 * The names, comments and options of one call are those of one LSN; the sizes are those of the newest durable transaction.
 */
import type { Position } from '../core/position.js'
import { catalogKey, catalogPrefix, keyText, prefixRange } from '../store/keys.js'
import type { TextRange } from '../store/versions.js'
import { decodeCatalogMessage } from './codec/definition-codec.js'
import type { CatalogMessage, Options } from './codec/message.js'
import { SnapshotView } from './read-view.js'
import type { ReplicatedState } from './replicated-state.js'

export interface CatalogListing {
  /** Never reused; messages of the log name it. */
  readonly id: number
  readonly name: string
  readonly comment: string
  readonly options: Options
  readonly createdUs: bigint
  readonly tables: number
  readonly rows: number
  /** Keys and images of its rows. */
  readonly bytes: number
}

export interface CatalogListPage {
  /** In the order of the UTF-8 bytes of their names. */
  readonly catalogs: readonly CatalogListing[]
  /** The name to go on behind; undefined when there are no more. */
  readonly next: string | undefined
  /** Where the log stood for the names. */
  readonly position: Position
}

export interface CatalogListOptions {
  /** The catalogs behind this name, whether or not there is one of it; from the first when left out. */
  readonly after?: string | undefined
  /** 1 or more. */
  readonly limit: number
}

export async function listCatalogs(state: ReplicatedState, options: CatalogListOptions): Promise<CatalogListPage> {
  const { after, limit } = options
  const position = state.durable
  const snapshot = state.openSnapshot()
  try {
    const view = new SnapshotView(state, snapshot)
    // One more than is asked for tells whether there is a next page.
    const messages: CatalogMessage[] = []
    let rest: TextRange | undefined = rangeBehind(after)
    while (rest !== undefined && messages.length <= limit) {
      const page = await view.page(rest, limit + 1 - messages.length, false)
      for (const { value } of page.entries) messages.push(decodeCatalogMessage(value))
      rest = page.rest
    }
    const shown = messages.slice(0, limit)
    const catalogs = shown.map(({ id, name, comment, options, createdUs }) => {
      const { tables, rows, bytes } = state.statistics.durableCatalog(id)
      return { id, name, comment, options, createdUs, tables, rows, bytes }
    })
    return { catalogs, next: messages.length > limit ? shown.at(-1)!.name : undefined, position }
  } finally {
    state.versions.close(snapshot)
  }
}

function rangeBehind(after: string | undefined): TextRange {
  const { from, to } = prefixRange(catalogPrefix())
  const first = after === undefined ? keyText(Buffer.from(from)) : `${keyText(catalogKey(after))}\0`
  return { from: first, to: keyText(Buffer.from(to)) }
}
