/** The operations of the session protocol: what each is given and what it answers. */
import type { Lsn, Position } from '../../core/position.js'
import type { AckInput } from '../../primary/ack-gate.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type {
  AlterSchemaInput,
  AlterTableInput,
  CheckInput,
  CreateIndexInput,
  CreateSchemaInput,
  CreateTableAsInput,
  CreateTableInput,
  DropIndexInput,
  DropSchemaInput,
  DropTableInput,
  InsertInput,
  KeyInput,
  LockInput,
  RenameTablesInput,
  ScanInput,
  StatementInput,
  StatementResult,
  TruncateTableInput,
  UpdateInput,
} from '../../primary/statement.js'

/**
 * `serializable`: as if transactions ran one at a time. `snapshot`: what was only read may have changed (write skew).
 */
export type Isolation = 'serializable' | 'snapshot'
/** Names and texts that an application puts beside a transaction in the log. */
export type Annotations = Readonly<Record<string, string>>

/** How a transaction begins. */
export interface BeginInput {
  readonly isolation?: Isolation | undefined
  readonly readOnly?: boolean | undefined
  readonly annotations?: Annotations | undefined
}

export interface ExecuteInput {
  readonly statements: readonly StatementInput[]
  readonly annotations?: Annotations | undefined
  readonly idempotencyKey?: string | undefined
  readonly ack?: AckInput | undefined
}

/** What a commit answers. */
export interface Committed {
  readonly position: Position
  /** True when an earlier commit with the same idempotency key did the work; this one did nothing. */
  readonly replayed: boolean
}

/** What a one-shot transaction answers. */
export interface Executed extends Committed {
  readonly lsn: Lsn
  /** One result per statement, in order. */
  readonly results: readonly StatementResult[]
}

/** How many rows an insert added, and the AUTO_INCREMENT value of each where the table has such a column. */
export interface Inserted {
  readonly inserted: number
  readonly autoIncrement?: readonly bigint[]
}

/** What a statement that creates something answers. */
export interface Created {
  /** False when `ifNotExists` found one. */
  readonly created: boolean
  /** Rows of `createTableAs`. */
  readonly inserted?: number
  /** A job makes the index ready. */
  readonly building?: boolean
}

/** What a statement that alters something answers. */
export interface Altered {
  /** False when the definition was like that before: nothing was written. */
  readonly altered: boolean
}

/** What a statement that drops something answers. */
export interface Dropped {
  /** False when `ifExists` found none. */
  readonly dropped: boolean
}

export interface Nothing {
  readonly nothing?: never
}

/** Name of an operation → what it is given, and what it answers. */
export interface Operations {
  begin: { input: BeginInput; result: Nothing }
  insert: { input: InsertInput; result: Inserted }
  update: { input: UpdateInput; result: { readonly updated: 0 | 1 } }
  delete: { input: KeyInput; result: { readonly deleted: 0 | 1 } }
  get: { input: KeyInput; result: { readonly row: RowObject | null } }
  getForUpdate: { input: LockInput; result: { readonly row: RowObject | null } }
  check: { input: CheckInput; result: { readonly checked: true } }
  scan: { input: ScanInput; result: { readonly rows: readonly RowObject[] } }
  createTable: { input: CreateTableInput; result: Created }
  createTableAs: { input: CreateTableAsInput; result: Created }
  alterTable: { input: AlterTableInput; result: Altered }
  renameTables: { input: RenameTablesInput; result: { readonly renamed: number } }
  truncateTable: { input: TruncateTableInput; result: { readonly truncated: true } }
  dropTable: { input: DropTableInput; result: Dropped }
  createIndex: { input: CreateIndexInput; result: Created }
  dropIndex: { input: DropIndexInput; result: Dropped }
  createSchema: { input: CreateSchemaInput; result: Created }
  alterSchema: { input: AlterSchemaInput; result: Altered }
  dropSchema: { input: DropSchemaInput; result: Dropped }
  openCursor: { input: Omit<ScanInput, 'limit'>; result: { readonly cursor: number } }
  fetch: {
    input: { readonly cursor: number; readonly rows: number }
    result: { readonly rows: readonly RowObject[]; readonly done: boolean }
  }
  closeCursor: { input: { readonly cursor: number }; result: Nothing }
  savepoint: { input: { readonly name: string }; result: Nothing }
  releaseSavepoint: { input: { readonly name: string }; result: Nothing }
  rollbackTo: { input: { readonly name: string }; result: Nothing }
  commit: {
    input: { readonly idempotencyKey?: string | undefined; readonly ack?: AckInput | undefined }
    result: Committed
  }
  rollback: { input: Nothing; result: Nothing }
  execute: { input: ExecuteInput; result: Executed }
  closeSession: { input: Nothing; result: Nothing }
  ping: { input: Nothing; result: Nothing }
}

export type OperationName = keyof Operations
export type InputOf<Name extends OperationName> = Operations[Name]['input']
export type ResultOf<Name extends OperationName> = Operations[Name]['result']

/** The members of an answer as a frame held them. */
export type RawResult = Readonly<Record<string, unknown>>
