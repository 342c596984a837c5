/** Which benchmarks `bench all` runs, and with which flags. */
import type { Part } from './run-all.js'

export interface Extent {
  /** A few seconds each, for a look; without it the full profiles, which publish. */
  readonly quick: boolean
}

export function partsOf({ quick }: Extent): Part[] {
  const profile = ['--profile', quick ? 'quick' : 'full']
  const blades = quick
    ? ['--clients', '50,200', '--runs', '2000']
    : ['--clients', '1000,2000,4000,8000', '--runs', '200000']
  return [
    { name: 'fsync', args: ['fsync', ...profile] },
    { name: 'commit', args: ['commit', ...profile] },
    { name: 'apply', args: ['apply', ...profile] },
    { name: 'scan', args: ['scan', ...profile] },
    { name: 'open', args: ['open', ...profile] },
    { name: 'rotating-blades', args: ['rotating-blades', ...blades] },
  ]
}
