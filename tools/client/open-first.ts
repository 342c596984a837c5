/** Finds the server that takes a connection, among those that may be the primary. */
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'

/**
 * Tries each server once, first the one that took the last connection.
 * @throws ReplogError what the only server answers; of several UNREACHABLE, since a failover may be under way
 */
export async function openFirst<Connection>(
  urls: readonly string[],
  last: string,
  signal: AbortSignal,
  open: (url: string) => Promise<Connection>,
): Promise<Connection> {
  const begin = Math.max(0, urls.indexOf(last))
  const refusals: string[] = []
  for (let tried = 0; ; tried++) {
    const url = urls[(begin + tried) % urls.length]!
    try {
      return await open(url)
    } catch (error) {
      if (!isReplogError(error) || signal.aborted || urls.length === 1) throw error
      refusals.push(`${url}: ${messageOf(error)}`)
      if (refusals.length < urls.length) continue
      throw new ReplogError('UNREACHABLE', `none of the servers takes a connection (${refusals.join('; ')})`, {
        cause: error,
      })
    }
  }
}
