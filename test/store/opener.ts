/** A process that opens a LevelDB directory and prints how that ended: `opened` or the error code. */
import { isReplogError } from '../../core/errors.js'
import { LevelEngine } from '../../store/level-engine.js'

try {
  const engine = await LevelEngine.open(process.argv[2]!)
  await engine.close()
  console.log('opened')
} catch (error) {
  if (!isReplogError(error)) throw error
  console.log(error.code)
}
