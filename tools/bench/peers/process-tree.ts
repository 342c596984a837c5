/**
 * Processor time of a process and its descendants, from Linux's /proc: PostgreSQL has a process for each connection. A
 * child that has ended is in its parent's sum, once the parent has waited for it.
 */
import { readFile, readdir } from 'node:fs/promises'

/** Ticks of /proc/PID/stat a second: USER_HZ, which is 100 for every program on Linux. */
const TICKS_PER_SECOND = 100

export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  readonly ticks: number
}

/** Null where there is no /proc. */
export async function processTreeCpuSeconds(root: number): Promise<number | null> {
  let names: string[]
  try {
    names = await readdir('/proc')
  } catch {
    // No Linux; what is reported says that it is unknown.
    return null
  }
  const texts = await Promise.all(
    // A process may end between the two.
    names.filter((name) => /^\d+$/.test(name)).map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')),
  )
  return sumOfTree(
    texts.flatMap((text) => parseStat(text) ?? []),
    root,
  )
}

export function sumOfTree(stats: readonly ProcessStat[], root: number): number | null {
  const children = new Map<number, ProcessStat[]>()
  for (const stat of stats) {
    const siblings = children.get(stat.parent)
    if (siblings === undefined) children.set(stat.parent, [stat])
    else siblings.push(stat)
  }
  const top = stats.find(({ pid }) => pid === root)
  if (top === undefined) return null
  let ticks = 0
  const queue = [top]
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    ticks += one.ticks
    for (const child of children.get(one.pid) ?? []) queue.push(child)
  }
  return ticks / TICKS_PER_SECOND
}

/**
 * A line of /proc/PID/stat, see proc(5): the name in parentheses may hold anything, parentheses included.
 *
 *   pid (name) state ppid … utime stime cutime cstime …
 */
export function parseStat(text: string): ProcessStat | undefined {
  const afterName = text.lastIndexOf(')')
  if (afterName < 0) return undefined
  const fields = text.slice(afterName + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { pid: Number.parseInt(text, 10), parent: Number(fields[1]), ticks }
}
