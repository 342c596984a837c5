/**
 * What the dictionary holds, at one LSN: the schemas of a catalog, and the versions of a table with the names of what
 * they refer to.
 *
 * A table keeps all its versions, also when it is dropped. Of schemas and of other tables only the present names are
 * kept, so an old version shows those; what is gone is shown by its id.
 */
import { type ReferencedTables, referencedTablesIn } from '../ddl/referenced-table.js'
import type { Dictionary, ReadKey } from '../ddl/dictionary.js'
import { keyText, schemaPrefix, tablePrefix, tableVersionKey, tableVersionPrefix } from '../store/keys.js'
import { decodeSchemaMessage, decodeTableMessage } from './codec/definition-codec.js'
import type { SchemaMessage, TableMessage } from './codec/message.js'
import type { View } from './read-view.js'
import type { TableStats } from './table-stats.js'
import { entriesOf, textRange } from './view-entries.js'

const VERSION_MAX = 0xffff_ffff

/** A schema with the number of its tables. */
export interface SchemaListing {
  readonly message: SchemaMessage
  readonly tables: number
}

/** A version of a table, for whoever shows it while the snapshot is open. */
export interface DescribedTable {
  readonly message: TableMessage
  /** Name of its schema. */
  readonly schema: string
  /** Of the newest version; undefined for an older one, whose rows are not counted apart. */
  readonly stats: TableStats | undefined
  /** Other tables of the catalog by their ids. */
  readonly tableOf: ReferencedTables
  readonly messageOf: (tableId: number) => TableMessage | undefined
}

/** What tells a version from others; definitions may be large, so a list has none. */
export interface TableVersion {
  readonly version: number
  readonly schema: string
  readonly name: string
  readonly changedUs: bigint
}

/** Which versions of a table are listed. */
export interface VersionListOptions {
  /** The versions behind this one; all when left out. */
  readonly after?: number | undefined
  /** 1 or more. */
  readonly limit: number
}

/** Some of the versions of a table. */
export interface VersionPage {
  /** Oldest first. */
  readonly versions: readonly TableVersion[]
  /** The version to go on behind; undefined when there are no more. */
  readonly next: number | undefined
}

export class DictionaryListing {
  readonly #dictionary: Dictionary
  readonly #view: View

  constructor(dictionary: Dictionary, view: View) {
    this.#dictionary = dictionary
    this.#view = view
  }

  /** The schemas of a catalog, in the order of their names. */
  async schemas(catalogId: number): Promise<SchemaListing[]> {
    const listings: SchemaListing[] = []
    for await (const { value } of entriesOf(this.#view, schemaPrefix(catalogId))) {
      const message = decodeSchemaMessage(value)
      let tables = 0
      for await (const _entry of entriesOf(this.#view, tablePrefix(catalogId, message.id))) tables++
      listings.push({ message, tables })
    }
    return listings
  }

  /** @param stats of the table's rows; undefined when the version is not the newest */
  describe(message: TableMessage, stats: TableStats | undefined): DescribedTable {
    return {
      message,
      schema: schemaNameOf(message, this.#dictionary, this.#read),
      stats,
      tableOf: referencedTablesIn(this.#dictionary, this.#read),
      messageOf: (tableId) => this.#dictionary.tableById(this.#read, tableId)?.message,
    }
  }

  /** The bytes of a version's message; undefined when there is, or was, none of that id and number. */
  versionBytes(tableId: number, version: number): Buffer | undefined {
    if (tableId > VERSION_MAX || version > VERSION_MAX) return undefined
    const key = tableVersionKey(tableId, version)
    return this.#view.get(key, keyText(key))
  }

  async versions(tableId: number, { after, limit }: VersionListOptions): Promise<VersionPage> {
    const versions: TableVersion[] = []
    const { from, to } = textRange(tableVersionPrefix(tableId))
    if (after !== undefined && after > VERSION_MAX) return { versions, next: undefined }
    let rest: { readonly from: string; readonly to: string } | undefined = {
      from: after === undefined ? from : `${keyText(tableVersionKey(tableId, after))}\0`,
      to,
    }
    // One more than is asked for tells whether there is a next page.
    while (rest !== undefined && versions.length <= limit) {
      const page = await this.#view.page(rest, limit + 1 - versions.length, false)
      for (const { value } of page.entries) {
        const message = decodeTableMessage(value)
        const { version, name, changedUs } = message
        versions.push({ version, schema: schemaNameOf(message, this.#dictionary, this.#read), name, changedUs })
      }
      rest = page.rest
    }
    const shown = versions.slice(0, limit)
    return { versions: shown, next: versions.length > limit ? shown.at(-1)!.version : undefined }
  }

  readonly #read: ReadKey = (key, text) => this.#view.get(key, text)
}

/** The name that the schema of a table, or of an old version of it, has now; its id when the schema is gone. */
export function schemaNameOf({ schemaId }: TableMessage, dictionary: Dictionary, read: ReadKey): string {
  return dictionary.schemaById(read, schemaId)?.name ?? `schema ${schemaId}`
}
