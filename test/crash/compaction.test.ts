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
  const compacting = async (): Promise<number> => {
    let count = 0
    for (; committing; count++) await engine.compact(prefixRange(Buffer.of(0x52)))
    return count
  }
  const compactions = Promise.all([compacting(), compacting(), compacting()])
  const refused: unknown[] = []
  for (let number = 0; number < COMMITS; number++) {
    const batch = engine.batch()
    batch.put(metaKey(`n${number}`), Buffer.alloc(100))
    await batch.writeSynced().catch((error: unknown) => refused.push(error))
  }
  committing = false
  const counts = await compactions
  await engine.close()
  t.same(refused, [])
  t.ok(
    counts.every((count) => count > 10),
    `${counts.join(', ')} compactions`,
  )
  const reopened = await openDataDirectory(`${directory}/data`)
  const missing = Array.from({ length: COMMITS }, (_, number) => number).filter(
    (number) => reopened.engine.get(metaKey(`n${number}`)) === undefined,
  )
  t.same(missing, [])
  await reopened.engine.close()
})
