/**
 * The changes that ALTER TABLE takes, as users write them: a list of objects with one key each, applied in order and
 * atomic as a whole.
 *
 *   [{ addColumn: { name: 'note', type: 'TEXT' } }, { renameColumn: { name: 'qty', to: 'quantity' } }]
 */
import type {
  CheckDefinition,
  ColumnDefinition,
  ForeignKeyDefinition,
  IndexDefinition,
  KeyPartDefinition,
} from './table-definition.js'

/** Where a column stands in the list: first, or behind another; at the end when neither is given. */
export interface ColumnPlace {
  readonly first?: boolean
  readonly after?: string
}

/** One change of a table, an object with one key. */
export type AlterTableChange =
  | { readonly addColumn: ColumnDefinition & ColumnPlace }
  | { readonly dropColumn: { readonly name: string } }
  | { readonly renameColumn: { readonly name: string; readonly to: string } }
  | { readonly moveColumn: { readonly name: string } & ColumnPlace }
  | { readonly setDefault: { readonly column: string; readonly default: ColumnDefinition['default'] } }
  | { readonly dropDefault: { readonly column: string } }
  | { readonly setNotNull: { readonly column: string } }
  | { readonly dropNotNull: { readonly column: string } }
  /**
   * SQL type text. INTEGER to BIGINT, longer VARCHAR or TEXT, more digits of a DECIMAL before its point and more labels
   * at the end of an ENUM are instant; other changes rewrite the rows, exactly, or are refused.
   */
  | { readonly setType: { readonly column: string; readonly type: string } }
  | { readonly setColumnComment: { readonly column: string; readonly comment: string } }
  | { readonly addIndex: IndexDefinition }
  | { readonly dropIndex: { readonly name: string } }
  | { readonly renameIndex: { readonly name: string; readonly to: string } }
  | { readonly setPrimaryKey: { readonly columns: readonly KeyPartDefinition[] } }
  | { readonly addForeignKey: ForeignKeyDefinition }
  | { readonly dropForeignKey: { readonly name: string } }
  | { readonly addCheck: CheckDefinition }
  | { readonly dropCheck: { readonly name: string } }
  | { readonly setComment: { readonly comment: string } }
  /** A value of null takes the option away. */
  | { readonly setOptions: Readonly<Record<string, string | null>> }
  | { readonly setRowImage: { readonly rowImage: 'full' | 'minimal' } }
