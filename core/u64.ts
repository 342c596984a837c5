/** Writing a u64 without the bigints that `Buffer.writeBigUInt64LE` makes on its way. */
const value64 = new BigUint64Array(1)
const halves = new Uint32Array(value64.buffer)
/** The platform's order of the halves. */
const LOW = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1
const HIGH = 1 - LOW

/** @param value a u64 */
export function writeU64LE(target: Uint8Array, value: bigint, offset: number): void {
  value64[0] = value
  writeHalf(target, halves[LOW]!, offset)
  writeHalf(target, halves[HIGH]!, offset + 4)
}

/** @param value a u64 */
export function writeU64BE(target: Uint8Array, value: bigint, offset: number): void {
  value64[0] = value
  const high = halves[HIGH]!
  const low = halves[LOW]!
  for (let at = 0; at < 4; at++) target[offset + at] = high >>> (24 - 8 * at)
  for (let at = 0; at < 4; at++) target[offset + 4 + at] = low >>> (24 - 8 * at)
}

function writeHalf(target: Uint8Array, half: number, offset: number): void {
  target[offset] = half
  target[offset + 1] = half >>> 8
  target[offset + 2] = half >>> 16
  target[offset + 3] = half >>> 24
}
