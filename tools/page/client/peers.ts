/** Which other servers the page shows: `?peer=http://127.0.0.1:7401`, as often as there are servers. */

export interface Peers {
  readonly urls: readonly string[]
  /** What is wrong with the addresses that are not taken, one sentence each. */
  readonly refusals: readonly string[]
}

/** Each is asked every second. */
const PEERS_MAX = 8
/** The page's content security policy lets it talk to these hosts. */
const LOOPBACK_HOSTS: readonly string[] = ['127.0.0.1', 'localhost']

export function peersOf(search: string, ownOrigin: string): Peers {
  const urls = new Set<string>()
  const refusals: string[] = []
  for (const text of new URLSearchParams(search).getAll('peer')) {
    const url = parsed(text)
    if (url === undefined) {
      refusals.push(`The peer "${text}" is not an address; one looks like http://127.0.0.1:7401.`)
    } else if (!LOOPBACK_HOSTS.includes(url.hostname)) {
      refusals.push(`The peer ${url.origin} is on another machine; open its own page there.`)
    } else if (url.origin !== ownOrigin) {
      urls.add(url.origin)
    }
  }
  const taken = [...urls].slice(0, PEERS_MAX)
  if (urls.size > taken.length) refusals.push(`Only the first ${PEERS_MAX} peers are shown.`)
  return { urls: taken, refusals }
}

function parsed(text: string): URL | undefined {
  try {
    const url = new URL(text)
    return url.protocol === 'http:' ? url : undefined
  } catch {
    return undefined
  }
}
