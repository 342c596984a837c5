/**
 * Where a server keeps which transactions it was told not to apply: a replica writes it (replica/replication-control.ts),
 * and whoever would take the rows for those that the log makes asks whether it is there.
 */
import { metaKey } from '../store/keys.js'

export const SKIPS_META = metaKey('replication-skips')
