/** Files to import and a primary in memory to import them into. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { RowObject } from '../../../ddl/compiled-table.js'
import type { Catalog } from '../../../primary/catalog.js'
import { Primary } from '../../../primary/primary.js'
import { MemoryEngine } from '../../../store/memory-engine.js'
import { embeddedTarget } from '../../../tools/import/embedded-target.js'
import { type ImportOptions, type ImportReport, importFile } from '../../../tools/import/import-file.js'
import type { ImportTarget } from '../../../tools/import/import-target.js'

export interface Importing {
  readonly db: Catalog
  readonly target: ImportTarget
  /** Writes a file. */
  readonly file: (name: string, content: string | Uint8Array) => string
  /** Imports a file into test.t unless told otherwise. */
  readonly run: (file: string, options?: Partial<ImportOptions>, target?: ImportTarget) => Promise<ImportReport>
  readonly rows: (table?: string) => Promise<RowObject[]>
}

export async function importing(t: Test): Promise<Importing> {
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine() })
  const directory = t.testdir({})
  t.teardown(() => primary.close())
  const db = primary.catalog()
  const target = embeddedTarget(db)
  return {
    db,
    target,
    file(name, content) {
      const path = join(directory, name)
      writeFileSync(path, content)
      return path
    },
    run: (file, options = {}, into = target) => importFile({ file, table: 'test.t', ...options }, into),
    rows: (table = 'test.t') => rowsOf(db, table),
  }
}

export async function rowsOf(db: Catalog, table: string): Promise<RowObject[]> {
  const rows: RowObject[] = []
  for await (const page of db.scanPages(table)) rows.push(...page)
  return rows
}
