/**
 * A process that commits until it is killed, and prints the number of each commit once it is acknowledged. The write
 * buffer is tiny, so that logs rotate and tables are flushed and compacted all the time.
 */
import { writeSync } from 'node:fs'
import { metaKey } from '../../store/keys.js'
import { openDataDirectory } from '../../store/data-directory.js'

const { engine } = await openDataDirectory(process.argv[2]!, { writeBufferBytes: 64 * 1024 })
const counter = metaKey('counter')
const first = engine.get(counter)?.readUInt32LE(0) ?? 0
for (let number = first + 1; ; number++) {
  const batch = engine.batch()
  const value = Buffer.alloc(4)
  value.writeUInt32LE(number)
  batch.put(counter, value)
  // Now and then a record that spans blocks of the log.
  batch.put(metaKey(`filler ${number % 50}`), Buffer.alloc(number % 20 === 0 ? 50_000 : 500, number))
  await batch.writeSynced()
  writeSync(1, `${number}\n`)
}
