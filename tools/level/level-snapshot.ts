/** An explicit snapshot: reads of the catalog at the LSN at which it was made. */
import { AbstractSnapshot } from 'abstract-level'
import { ReplogError } from '../../core/errors.js'
import type { CatalogSnapshot } from '../../log/catalog-snapshot.js'
import { LevelError } from './level-error.js'

/** What abstract-level's own constructor asks for, and its types do not say. */
const Base = AbstractSnapshot as new (options: object) => AbstractSnapshot

/** What `db.snapshot()` gives. */
export class LevelSnapshot extends Base {
  /** All that is read through it. */
  readonly reads: CatalogSnapshot

  constructor(options: object, reads: CatalogSnapshot) {
    super(options)
    this.reads = reads
  }

  /** Called by abstract-level when nothing reads through it any more. */
  protected _close(): Promise<void> {
    this.reads.close()
    return Promise.resolve()
  }
}

/** The reads of a snapshot that a caller gives. @throws LevelError when it is another database's */
export function readsOf(snapshot: AbstractSnapshot): CatalogSnapshot {
  if (snapshot instanceof LevelSnapshot) return snapshot.reads
  const cause = new ReplogError('INVALID_ARGUMENT', '`snapshot` is one of another database; take it from this one')
  throw new LevelError('LEVEL_INVALID_ARGUMENT', cause)
}
