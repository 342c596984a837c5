/**
 * replog for embedding applications.
 *
 *   const primary = await Primary.open({ path: './data' })
 *   const db = primary.catalog('local')
 */
export { Primary, type PrimaryOptions } from './primary/primary.js'
export type { LimitOptions } from './primary/limit-options.js'
export { Catalog, type ExecuteOptions, type ExecuteResult } from './primary/catalog.js'
export type {
  CatalogSubscriptions,
  CreateSubscriptionOptions,
  Subscription,
  SubscriptionStart,
} from './primary/subscriptions/catalog-subscriptions.js'
export type { WorkerStatus } from './primary/subscriptions/active-subscription.js'
export type { SubscriptionChange } from './primary/subscriptions/change-dispatch.js'
export type { SubscribeOptions } from './primary/subscriptions/subscription-server.js'
export type { Delivery, SubscriptionStream } from './primary/subscriptions/subscription-stream.js'
export {
  Transaction,
  type CommitOptions,
  type Isolation,
  type TransactionOptions,
  type TransactionStatus,
} from './primary/transaction.js'
export type { Cursor, CursorPage } from './primary/cursor.js'
export type { AckInput } from './primary/ack-gate.js'
export type { AlterCatalogInput, CreateCatalogInput } from './primary/catalog-definition.js'
export type { CommitResult } from './primary/commit-lane.js'
export type { RowWrite, RowWriteOptions } from './primary/row-writes.js'
export type { StagedChange } from './primary/staged-changes.js'
export type { TriggerFunction } from './primary/catalog.js'
export type { Projection, ProjectionState, ProjectionStatus } from './primary/projections/projection.js'
export type {
  ProjectionChange,
  ProjectionHandler,
  ProjectionOptions,
  ProjectionRetry,
} from './primary/projections/projection-options.js'
export type { ProjectionListing, Projections } from './primary/projections/projections.js'
export type { Annotations } from './primary/annotations.js'
export type {
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
  ProjectionInput,
  RenameInput,
  RenameTablesInput,
  RowInput,
  ScanInput,
  SetInput,
  StatementInput,
  StatementResult,
  TruncateTableInput,
  UpdateInput,
} from './primary/statement.js'
export { Replica, type ReplicaOptions, type WaitOptions } from './replica/replica.js'
export type { ControlNote } from './replica/replication-control.js'
export { promote, type TakeOverOptions } from './tools/failover/take-over.js'
export type { HeldBack, PurgeLogResult } from './log/purge/log-purger.js'
export type { LogRetentionOptions, PurgeLogInput } from './log/purge/purge-policy.js'
export type { RetentionHolder } from './log/purge/retention.js'
export type { CatalogReader, TableListing } from './log/catalog-reader.js'
export type { CatalogSnapshot } from './log/catalog-snapshot.js'
export type { DescribedTable, SchemaListing, TableVersion, VersionPage } from './log/dictionary-listing.js'
export type { JobsView } from './log/background-jobs.js'
export type { JobKind, JobList, JobListing, JobPass } from './log/job-list.js'
export type { ScanOptions } from './log/scan.js'
export type {
  FollowState,
  Lag,
  ReplicationPause,
  ReplicationStatus,
  SkippedTransaction,
  StageStatus,
} from './log/status.js'
export type { JsonValue, Value } from './log/codec/column-type.js'
export { type Table, defineTable } from './ddl/define-table.js'
export type { Insert, Key, Row, Update } from './ddl/table-types.js'
export type {
  Change,
  TableChangeOptions,
  TableEvent,
  TableSnapshotRow,
  TableTransaction,
} from './log/changes/table-change.js'
export type {
  Change as ChangeEvent,
  ChangeOrigin,
  DefinitionEvent,
  Heartbeat,
  RowEvent,
  SnapshotEnd,
  SnapshotRow,
  TransactionEvent,
} from './log/changes/change.js'
export type { ChangeOperation } from './log/changes/change-filter.js'
export type { ChangeOptions } from './log/changes/change-source.js'
export type { ChangeStream } from './log/changes/change-stream.js'
export type { TableScan } from './log/table-scan.js'
export type { RowObject } from './ddl/compiled-table.js'
export type {
  CheckDefinition,
  ColumnDefinition,
  ExpressionDefinition,
  ForeignKeyDefinition,
  IndexDefinition,
  KeyPartDefinition,
  OperandDefinition,
  ReferentialActionDefinition,
  TableDefinition,
} from './ddl/table-definition.js'
export type { AlterTableChange, ColumnPlace } from './ddl/alter-definition.js'
export { ERROR_CODES, ReplogError, isReplogError, type ErrorCode } from './core/errors.js'
export { type Epoch, type Lsn, type Position, asLsn, formatPosition, parseLsn, parsePosition } from './core/position.js'
export { VERSION } from './core/version.js'
