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
  return [
    { name: 'fsync', args: ['fsync', ...profile] },
    { name: 'commit', args: ['commit', ...profile] },
    { name: 'apply', args: ['apply', ...profile] },
    { name: 'scan', args: ['scan', ...profile] },
    { name: 'changes', args: ['changes', ...profile] },
    { name: 'open', args: ['open', ...profile] },
    { name: 'http', args: ['http', ...profile] },
    { name: 'commit-remote', args: ['commit', '--remote', ...profile, ...beside] },
    ...bladesParts(quick, beside),
  ]
}

/** With thousands of connections a peer takes most of an hour, or none of them: they are measured with one thousand. */
function bladesParts(quick: boolean, beside: readonly string[]): Part[] {
  const blades = (name: string, ...args: readonly string[]): Part => ({ name, args: ['rotating-blades', ...args] })
  if (quick) return [blades('rotating-blades', '--clients', '50,200', '--runs', '2000', ...beside)]
  const alone = blades('rotating-blades', '--clients', '1000,2000,4000,8000', '--runs', '200000')
  if (beside.length === 0) return [alone]
  const peers = ['--clients', '1000', '--runs', '200000', '--peer-runs', '20000', ...beside]
  return [alone, blades('rotating-blades-peers', ...peers)]
}
