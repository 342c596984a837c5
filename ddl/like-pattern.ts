/**
 * LIKE: `%` stands for any characters, `_` for one, and a backslash makes the next character stand for itself.
 *
 * The pattern is cut at its `%` into segments. The first must be at the text's start, the last at its end, and each of
 * the others is taken where it first ends behind the one before: if the rest fits anywhere, it fits behind that place.
 *
 * A segment is found by Shift-And (Baeza-Yates and Gonnet, "A new approach to text searching", 1992), which steps over
 * the text once with a bit per character of the segment. Time is that of one pass, however the pattern is made; a
 * segment of more than 31 characters takes another word of bits for every further 31.
 *
 * Invariants: matching goes by code point; a match allocates nothing; no text is matched while another one is.
 */

/** Stands in a segment for any character. */
const ANY = -1
/** Bits of a word that are used, so that a carry has a place. */
const WORD_BITS = 31
const WORD_MASK = 0x7fff_ffff

/** Code points, or ANY. */
type Segment = readonly number[]

/** Whether a well-formed text is like the pattern. */
export function compilePattern(pattern: string): (text: string) => boolean {
  const segments = segmentsOf(pattern)
  const first = segments[0]!
  const last = segments[segments.length - 1]!
  if (segments.length === 1) return (text) => endAt(first, text, 0) === text.length
  const middle = segments
    .slice(1, -1)
    .filter((segment) => segment.length > 0)
    .map((segment) => compileSearch(segment))
  return (text) => {
    let at = endAt(first, text, 0)
    for (let index = 0; at >= 0 && index < middle.length; index++) at = middle[index]!(text, at)
    if (at < 0) return false
    const start = startOfLast(text, last.length, at)
    return start >= 0 && endAt(last, text, start) === text.length
  }
}

/** What is before, between and behind the `%` of a pattern. */
function segmentsOf(pattern: string): Segment[] {
  const segments: number[][] = [[]]
  const characters = [...pattern]
  for (let index = 0; index < characters.length; index++) {
    const segment = segments[segments.length - 1]!
    const character = characters[index]!
    if (character === '%') segments.push([])
    else if (character === '_') segment.push(ANY)
    else if (character === '\\' && index + 1 < characters.length) segment.push(characters[++index]!.codePointAt(0)!)
    else segment.push(character.codePointAt(0)!)
  }
  return segments
}

/** Where the segment that begins at `at` ends, or -1 when it is not there. */
function endAt(segment: Segment, text: string, at: number): number {
  for (let index = 0; index < segment.length; index++) {
    const codePoint = text.codePointAt(at)
    if (codePoint === undefined) return -1
    const wanted = segment[index]!
    if (wanted !== ANY && wanted !== codePoint) return -1
    at += codePoint > 0xffff ? 2 : 1
  }
  return at
}

/** Where the last `count` characters begin, or -1 when that is before `from`. */
function startOfLast(text: string, count: number, from: number): number {
  let at = text.length
  for (let index = 0; index < count; index++) {
    if (at <= from) return -1
    at--
    const unit = text.charCodeAt(at)
    if (unit >= 0xdc00 && unit <= 0xdfff) at--
  }
  return at
}

/** Where the first occurrence at or behind `from` ends, or -1. */
function compileSearch(segment: Segment): (text: string, from: number) => number {
  const words = Math.ceil(segment.length / WORD_BITS)
  const others = maskOf(segment, words, ANY)
  const masks = new Map<number, Int32Array>()
  for (const codePoint of segment) {
    if (codePoint !== ANY && !masks.has(codePoint)) masks.set(codePoint, maskOf(segment, words, codePoint))
  }
  const lastWord = words - 1
  const found = 1 << ((segment.length - 1) % WORD_BITS)
  // Bit i is set while the last i + 1 characters of the text are those that the segment begins with.
  const state = new Int32Array(words)
  return (text, from) => {
    state.fill(0)
    for (let at = from; at < text.length;) {
      const codePoint = text.codePointAt(at)!
      at += codePoint > 0xffff ? 2 : 1
      const mask = masks.get(codePoint) ?? others
      let carry = 1
      for (let word = 0; word < words; word++) {
        const bits = state[word]!
        state[word] = ((bits << 1) | carry) & WORD_MASK & mask[word]!
        carry = (bits >>> (WORD_BITS - 1)) & 1
      }
      if ((state[lastWord]! & found) !== 0) return at
    }
    return -1
  }
}

/** The places of the segment that a character fits in. */
function maskOf(segment: Segment, words: number, codePoint: number): Int32Array {
  const mask = new Int32Array(words)
  segment.forEach((wanted, index) => {
    if (wanted === ANY || wanted === codePoint) mask[Math.floor(index / WORD_BITS)]! |= 1 << (index % WORD_BITS)
  })
  return mask
}
