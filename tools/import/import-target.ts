/** Where rows go: a server, or a primary in this process. */
import type { ColumnType } from '../../log/codec/column-type.js'
import type { StatementInput } from '../../primary/statement.js'

export interface TargetColumn {
  readonly name: string
  readonly type: ColumnType
  /** Whether a row must give it a value: NOT NULL without default and AUTO_INCREMENT. */
  readonly isRequired: boolean
  /** Whether a row may say NULL. */
  readonly takesNull: boolean
}

export interface TargetTable {
  /** Never reused, so that a table made anew under the same name is told from the old one. */
  readonly id: number
  readonly columns: readonly TargetColumn[]
}

export interface ImportTarget {
  /** @param name "schema.table" @returns undefined when it does not exist */
  table(name: string): Promise<TargetTable | undefined>
  /**
   * Runs statements as one transaction.
   * @returns one result for each, in the embedded or the JSON form
   * @throws ReplogError
   */
  execute(statements: readonly StatementInput[]): Promise<readonly unknown[]>
}
