/** "did you mean": the candidate nearest to a misspelt name, by edit distance; two letters exchanged are one edit. */

/** `; did you mean "x"?` when a candidate is near enough, else an empty text. */
export function nearest(name: string, candidates: Iterable<string>): string {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best === undefined ? '' : `; did you mean ${JSON.stringify(best)}?`
}

/** Optimal string alignment distance, given up as `bound` once it cannot be lower. */
function editDistance(left: string, right: string, bound: number): number {
  if (Math.abs(left.length - right.length) >= bound) return bound
  let beforePrevious: readonly number[] = []
  let leastBefore = 0
  let previous = Array.from({ length: right.length + 1 }, (_, column) => column)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    let least = row
    for (let column = 1; column <= right.length; column++) {
      const substitution = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1)
      const isExchanged = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      const exchange = row > 1 && column > 1 && isExchanged ? beforePrevious[column - 2]! + 1 : Infinity
      const value = Math.min(substitution, exchange, previous[column]! + 1, current[column - 1]! + 1)
      current.push(value)
      least = Math.min(least, value)
    }
    // An exchange reaches back over one row.
    if (Math.min(least, leastBefore) >= bound) return bound
    leastBefore = least
    beforePrevious = previous
    previous = current
  }
  return previous[right.length]!
}
