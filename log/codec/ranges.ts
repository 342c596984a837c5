/** The integer ranges of protobuf types. The writers in `wire.ts` trust their callers, so the codecs ask here first. */

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

export function isUint32(value: number): boolean {
  return value >>> 0 === value
}

/** True for a u32 that is counted from 1, as ids, versions and epochs are, so that 0 can mean that it is absent. */
export function isCounted(value: number): boolean {
  return value >>> 0 === value && value > 0
}

export function isInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX
}
