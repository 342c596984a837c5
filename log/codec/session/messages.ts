/**
 * Requests and answers of sessions as plain objects, the same for text and binary frames. `request-codec.ts` and
 * `answer-codec.ts` turn them into the bytes of `session.proto` and back.
 */
import type { ErrorCode } from '../../../core/errors.js'
import type { Value } from '../column-type.js'
import type { Values } from './values.js'

export interface InsertRequest {
  readonly table: string
  readonly rows: readonly Values[]
}

export interface KeyRequest {
  readonly table: string
  readonly key: Values
}

export interface UpdateRequest extends KeyRequest {
  /** A new value by column; `{ add: n }` adds to the newest value. */
  readonly set: Values
}

export interface CheckRequest extends KeyRequest {
  readonly exists?: boolean | undefined
  readonly equals?: Values | undefined
}

export interface GetForUpdateRequest extends KeyRequest {
  readonly timeoutMs?: number | undefined
}

export interface CursorRequest {
  readonly table: string
  readonly index?: string | undefined
  readonly prefix?: Values | undefined
  readonly from?: Values | undefined
  readonly to?: Values | undefined
  readonly reverse?: boolean | undefined
}

export interface ScanRequest extends CursorRequest {
  readonly limit?: number | undefined
}

export interface BeginRequest {
  readonly isolation?: 'serializable' | 'snapshot' | undefined
  readonly readOnly?: boolean | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

export type AckLevelName = 'local' | 'received' | 'durable' | 'applied'

/** When a commit is answered. */
export interface AckRequest {
  readonly level: AckLevelName
  readonly replicas?: number | undefined
  readonly timeoutMs?: number | undefined
  readonly onTimeout?: 'error' | 'continue' | undefined
}

export interface CommitRequest {
  readonly idempotencyKey?: string | undefined
  readonly ack?: AckLevelName | AckRequest | undefined
}

export interface ExecuteRequest {
  /** Each an object with one key, the name of the statement. */
  readonly statements: readonly Readonly<Record<string, unknown>>[]
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly idempotencyKey?: string | undefined
  readonly ack?: AckLevelName | AckRequest | undefined
}

/** A definition statement as it was sent; its schema says what is in it. */
type DefinitionRequest = Readonly<Record<string, unknown>>

type NoInput = Readonly<Record<string, never>>

/** What each operation is sent with. */
export interface OperationInputs {
  readonly insert: InsertRequest
  readonly update: UpdateRequest
  readonly delete: KeyRequest
  readonly get: KeyRequest
  readonly getForUpdate: GetForUpdateRequest
  readonly check: CheckRequest
  readonly scan: ScanRequest
  readonly createTable: DefinitionRequest
  readonly createTableAs: DefinitionRequest
  readonly alterTable: DefinitionRequest
  readonly renameTables: DefinitionRequest
  readonly truncateTable: DefinitionRequest
  readonly dropTable: DefinitionRequest
  readonly createIndex: DefinitionRequest
  readonly dropIndex: DefinitionRequest
  readonly createSchema: DefinitionRequest
  readonly alterSchema: DefinitionRequest
  readonly dropSchema: DefinitionRequest
  readonly openCursor: CursorRequest
  readonly fetch: { readonly cursor: number; readonly rows: number }
  readonly closeCursor: { readonly cursor: number }
  readonly begin: BeginRequest
  readonly savepoint: { readonly name: string }
  readonly releaseSavepoint: { readonly name: string }
  readonly rollbackTo: { readonly name: string }
  readonly commit: CommitRequest
  readonly rollback: NoInput
  readonly execute: ExecuteRequest
  readonly closeSession: NoInput
  readonly ping: NoInput
}

export type OperationName = keyof OperationInputs

export type Operation = {
  readonly [Name in OperationName]: { readonly name: Name; readonly input: OperationInputs[Name] }
}[OperationName]

export interface RequestHead {
  /** u32, unique among the unanswered requests of a connection. */
  readonly id: number
  /** u32 */
  readonly session: number
}

export type SessionRequest = RequestHead & Operation

/** A request as it came in: neither its name nor its input was looked at. */
export interface UncheckedRequest extends RequestHead {
  readonly name: string
  readonly input: unknown
}

/** What became of the transaction of a session in which an operation failed. */
export type TransactionNote = 'open' | 'rolled back' | 'none'

export interface CommittedResult {
  readonly lsn: bigint
  /** `epoch.lsn.digest` */
  readonly position: string
  /** True when an earlier commit with the same idempotency key had this outcome. */
  readonly replayed: boolean
}

/** The result of begin, rollback, savepoints, closeCursor, closeSession and ping. */
export interface NothingToTell {
  readonly nothing?: never
}

/** A row by column name. */
export type RowResult = Readonly<Record<string, Value>>

export type SessionResult =
  | { readonly inserted: number; readonly autoIncrement?: readonly bigint[] }
  | { readonly updated: 0 | 1 }
  | { readonly deleted: 0 | 1 }
  | { readonly row: RowResult | null }
  | { readonly rows: readonly RowResult[] }
  | { readonly rows: readonly RowResult[]; readonly done: boolean }
  | { readonly checked: true }
  | { readonly created: boolean; readonly inserted?: number; readonly building?: boolean }
  | { readonly altered: boolean }
  | { readonly renamed: number }
  | { readonly truncated: true }
  | { readonly dropped: boolean }
  | { readonly cursor: number }
  | CommittedResult
  | (CommittedResult & { readonly results: readonly SessionResult[] })
  | NothingToTell

export interface SessionError {
  readonly code: ErrorCode
  readonly message: string
  readonly retryable: boolean
  readonly transaction: TransactionNote
  /** JSON-safe facts about the error. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

export type SessionAnswer =
  { readonly id: number; readonly result: SessionResult } | { readonly id: number; readonly error: SessionError }
