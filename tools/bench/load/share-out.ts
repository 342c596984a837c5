/** Shares clients out to load processes: shares differ by one at most, and follow each other. */

export interface ClientRange {
  readonly first: number
  readonly count: number
}

/** One for each process; with more processes than clients, one for each client. */
export function shareOut(clients: number, processes: number): ClientRange[] {
  const parts = Math.min(processes, clients)
  const bounds = Array.from({ length: parts + 1 }, (_, at) => Math.floor((at * clients) / parts))
  return Array.from({ length: parts }, (_, at) => ({ first: bounds[at]!, count: bounds[at + 1]! - bounds[at]! }))
}
