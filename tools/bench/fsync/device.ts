/** Which device a directory is on, so that a report says what it measured. Linux tells; elsewhere it is unknown. */
import { readFile, stat } from 'node:fs/promises'

export interface Device {
  /** As the system names it, such as "/dev/sda1"; "unknown" where it does not tell. */
  readonly name: string
  /** Such as "ext4". */
  readonly fileSystem: string
  readonly mountOptions: string
}

const UNKNOWN: Device = { name: 'unknown', fileSystem: 'unknown', mountOptions: '' }

export async function deviceOf(directory: string): Promise<Device> {
  const { dev } = await stat(directory)
  let mounts: string
  try {
    mounts = await readFile('/proc/self/mountinfo', 'utf8')
  } catch {
    // No Linux; the measurement does not depend on it.
    return UNKNOWN
  }
  return findMount(mounts, `${majorOf(dev)}:${minorOf(dev)}`) ?? UNKNOWN
}

/**
 * The mount of a device in the text of /proc/self/mountinfo, whose lines are (proc(5)):
 *
 *   id parent major:minor root mount-point options [optional]* - type source super-options
 */
export function findMount(mounts: string, device: string): Device | undefined {
  for (const line of mounts.split('\n')) {
    const [before = '', after = ''] = line.split(' - ')
    const fields = before.split(' ')
    const [fileSystem, name] = after.split(' ')
    if (fields[2] !== device || fileSystem === undefined || name === undefined) continue
    return { name, fileSystem, mountOptions: fields[5] ?? '' }
  }
  return undefined
}

// Linux's encoding of device numbers, see makedev(3).
function majorOf(dev: number): number {
  return Number((BigInt(dev) >> 8n) & 0xfffn)
}

function minorOf(dev: number): number {
  return Number((BigInt(dev) & 0xffn) | ((BigInt(dev) >> 12n) & 0xfff00n))
}
