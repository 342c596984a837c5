/**
 * Which worker a key belongs to: the one with the highest weight for it (rendezvous hashing, Thaler and Ravishankar).
 * Where workers come and go, only the keys of those move.
 */

export interface Weighed {
  /** Of the worker; see `hashOf`. */
  readonly hash: number
}

/** 32 bits of a text: FNV-1a. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** Undefined when there are none; of equal weights the first one wins. */
export function ownerOf<Worker extends Weighed>(workers: readonly Worker[], key: string): Worker | undefined {
  const hash = hashOf(key)
  let owner: Worker | undefined
  let highest = -1
  for (const worker of workers) {
    const weight = mixed(hash ^ worker.hash)
    if (weight <= highest) continue
    owner = worker
    highest = weight
  }
  return owner
}

/** All bits of the result depend on all bits of the argument: the finalizer of MurmurHash3 (Austin Appleby). */
function mixed(bits: number): number {
  let mixed = bits ^ (bits >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
