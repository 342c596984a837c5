/** The durable note that a repair of a store is under way: while it is there the store is not served. */
import { ReplogError } from '../../core/errors.js'
import { metaKey } from '../../store/keys.js'
import type { Store } from '../../store/store.js'

/** There while a repair is under way. */
export const REPAIR_META = metaKey('repair')

/** @throws ReplogError CORRUPT when a repair of this store was interrupted */
export function assertNoRepair(store: Store, path: string): void {
  if (store.get(REPAIR_META) === undefined) return
  throw new ReplogError(
    'CORRUPT',
    `a repair of ${path} was interrupted; run \`replog repair --data ${path} --from URL\` again, or clone this server anew`,
  )
}
