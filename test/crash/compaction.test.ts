/** A purge compacts while commits go on: logs come and go under the feet of the writer, and no commit fails for it. */
import t from 'tap'
import { openDataDirectory } from '../../store/data-directory.js'
import { metaKey, prefixRange } from '../../store/keys.js'
import { scratchDirectory } from '../primary/scratch-directory.js'

const COMMITS = 400

void t.test('commits succeed beside compactions, and all are there after reopening', async (t) => {
  const directory = scratchDirectory(t)
  const { engine } = await openDataDirectory(`${directory}/data`)
  let committing = true
  const counts = [0, 0, 0]
  const compactions = Promise.all(
    counts.map(async (_, compactor) => {
      for (; committing; counts[compactor]!++) await engine.compact(prefixRange(Buffer.of(0x52)))
    }),
  )
  const refused: unknown[] = []
  let commits = 0
  // As many more as it takes: whatever is never tried proves nothing.
  for (; commits < COMMITS || counts.some((count) => count <= 10); commits++) {
    const batch = engine.batch()
    batch.put(metaKey(`n${commits}`), Buffer.alloc(100))
    await batch.writeSynced().catch((error: unknown) => refused.push(error))
  }
  committing = false
  await compactions
  await engine.close()
  t.same(refused, [])
  t.comment(`${commits} commits, ${counts.join(', ')} compactions`)
  const reopened = await openDataDirectory(`${directory}/data`)
  const missing = Array.from({ length: commits }, (_, number) => number).filter(
    (number) => reopened.engine.get(metaKey(`n${number}`)) === undefined,
  )
  t.same(missing, [])
  await reopened.engine.close()
})
