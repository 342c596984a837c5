/**
 * A replica as a process that can be killed: `replica-child DIR URL`. Prints "ready" and, after each durable group,
 * "applied LSN", synchronously. Ends cleanly when stdin does.
 */
import { writeSync } from 'node:fs'
import { messageOf } from '../../core/errors.js'
import { Replica } from '../../replica/replica.js'

const [, , path = '', from = ''] = process.argv
const say = (line: string): void => {
  writeSync(1, `${line}\n`)
}
const replica = await Replica.open({
  path,
  from,
  onError: (error) => say(`fault ${messageOf(error)}`),
  onStateChange: (state, error) => {
    if (state === 'stopped' && error !== undefined) say(`fault ${error.code} ${error.message}`)
  },
})
say('ready')
replica.state.onDurable(({ lsn }) => {
  say(`applied ${lsn}`)
})
process.stdin.on('end', () => {
  void replica.close()
})
process.stdin.resume()
