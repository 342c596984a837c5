/** A process that commits one write set after the other; makes directories around them so that a trace shows where. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../core/clock.js'
import { metaKey } from '../../store/keys.js'
import { openDataDirectory } from '../../store/data-directory.js'
import { Store } from '../../store/store.js'
import { WriteSet } from '../../store/write-set.js'

const directory = process.argv[2]!
const commits = Number(process.argv[3])

const { engine, path } = await openDataDirectory(join(directory, 'data'))
const store = new Store({ engine, path, clock: systemClock })
await store.start()
const before = store.counters.syncs
mkdirSync(join(directory, 'begin-commits'))
for (let round = 0; round < commits; round++) {
  const writes = new WriteSet()
  writes.put(metaKey(`name ${round}`), Buffer.alloc(100, round))
  await store.commit([writes])
}
mkdirSync(join(directory, 'end-commits'))
console.log(store.counters.syncs - before)
await store.close()
