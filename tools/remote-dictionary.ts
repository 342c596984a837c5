/** What a server tells of its dictionary over HTTP; the JSON schemas of the routes say the same. */
import type { TableDefinition } from '../ddl/table-definition.js'

/** A catalog as a server lists it. */
export interface RemoteCatalog {
  /** Never reused; messages of the log name it. */
  readonly id: number
  readonly name: string
  readonly comment: string
  readonly options: Readonly<Record<string, string>>
  readonly tables: number
  readonly rows: number
  /** Keys and images of its rows. */
  readonly bytes: number
  /** ISO 8601. */
  readonly createdAt: string
}

/** A schema as a server lists it. */
export interface RemoteSchema {
  readonly id: number
  readonly name: string
  readonly comment: string
  readonly options: Readonly<Record<string, string>>
  readonly tables: number
  /** ISO 8601. */
  readonly createdAt: string
}

/** A table as a server lists it. */
export interface RemoteListing {
  readonly schema: string
  readonly name: string
  /** Never reused. */
  readonly id: number
  readonly version: number
  readonly rows: number
  /** Keys and images of its rows. */
  readonly bytes: number
  readonly digest: string
}

export interface RemoteKeyPart {
  readonly column: string
  readonly descending: boolean
}

/** A table, or an older version of it, as a server describes it. */
export interface RemoteTable {
  readonly catalog: string
  readonly schema: string
  readonly name: string
  /** Never reused. */
  readonly id: number
  readonly version: number
  readonly storageId: number
  /** Null for an older version, as `bytes` and `digest`. */
  readonly rows: number | null
  readonly bytes: number | null
  readonly digest: string | null
  /** ISO 8601. */
  readonly createdAt: string
  readonly changedAt: string
  readonly comment: string
  readonly options: Readonly<Record<string, string>>
  readonly rowImage: 'full' | 'minimal'
  readonly columns: readonly {
    /** Field number in the row messages. */
    readonly id: number
    readonly name: string
    readonly type: string
    readonly notNull: boolean
    readonly default?: unknown
    readonly autoIncrement: boolean
    readonly addedInVersion: number
    readonly missingValue?: unknown
    readonly comment: string
  }[]
  readonly primaryKey: readonly RemoteKeyPart[]
  readonly indexes: readonly {
    readonly id: number
    readonly name: string
    readonly unique: boolean
    readonly columns: readonly RemoteKeyPart[]
    readonly building: boolean
    readonly validating: boolean
  }[]
  readonly foreignKeys: readonly {
    readonly id: number
    readonly name: string
    readonly columns: readonly string[]
    readonly references: {
      /** Null for a table that was dropped since, as its name. */
      readonly schema: string | null
      readonly table: string | null
      readonly tableId: number
      readonly columns: readonly string[]
    }
    readonly onDelete: string
    readonly onUpdate: string
  }[]
  readonly checks: readonly {
    readonly id: number
    readonly name: string
    readonly expression: unknown
    readonly sql: string
  }[]
  readonly referencedBy: readonly {
    readonly schema: string | null
    readonly table: string | null
    readonly tableId: number
    readonly foreignKey: string | null
    readonly foreignKeyId: number
  }[]
  readonly definition: TableDefinition
}

/** One of the versions of a table. */
export interface RemoteVersion {
  readonly version: number
  readonly schema: string
  readonly name: string
  /** ISO 8601. */
  readonly changedAt: string
}

/** The message of a version. */
export interface RemoteTableMessage {
  /** Null when the schema is gone. */
  readonly schema: string | null
  /** The bytes of a replog.v1.TableMessage. */
  readonly message: Buffer
}
