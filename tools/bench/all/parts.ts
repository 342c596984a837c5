/** Which benchmarks `bench all` runs, and with which flags. */
import type { Part } from './run-all.js'

export interface Extent {
  /** A few seconds each, for a look; without it the full profiles, which publish. */
  readonly quick: boolean
  /** Other databases, for the benchmarks that run on them too. */
  readonly peers: readonly string[]
}

export function partsOf({ quick, peers }: Extent): Part[] {
  const beside = peers.length === 0 ? [] : ['--peer', peers.join(',')]
  const profile = ['--profile', quick ? 'quick' : 'full']
  const blades = quick
    ? ['--clients', '50,200', '--runs', '2000']
    : ['--clients', '1000,2000,4000,8000', '--runs', '200000', ...(peers.length === 0 ? [] : ['--peer-runs', '20000'])]
  return [
    { name: 'fsync', args: ['fsync', ...profile] },
    { name: 'commit', args: ['commit', ...profile] },
    { name: 'apply', args: ['apply', ...profile] },
    { name: 'scan', args: ['scan', ...profile] },
    { name: 'open', args: ['open', ...profile] },
    { name: 'http', args: ['http', ...profile] },
    { name: 'commit-remote', args: ['commit', '--remote', ...profile, ...beside] },
    { name: 'rotating-blades', args: ['rotating-blades', ...blades, ...beside] },
  ]
}
