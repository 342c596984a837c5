/**
 * Whether the system lets the processes of a benchmark have as many connections as it asks for. Every connection is an
 * open file at both its ends, and a process that meets the limit in the middle of a run fails in ways that are hard to
 * read. Node raises the soft limit to the hard one when it starts, here as in the servers and in the load processes.
 */
import { ReplogError } from '../../../core/errors.js'
import { formatCount } from '../../table-text.js'

/** LevelDB keeps up to 1000 files open; the rest is for logs, pipes, listening sockets and Node itself. */
const SERVER_FILES = 1200
const LOAD_FILES = 100

export function openFilesNeeded(clients: number, loadProcesses: number): number {
  return Math.max(clients + SERVER_FILES, Math.ceil(clients / loadProcesses) + LOAD_FILES)
}

/**
 * @param limit how many files a process may have open; undefined where the system does not tell, or has no limit
 * @throws ReplogError LIMIT
 */
export function requireOpenFiles(clients: number, loadProcesses: number, limit: number | undefined): void {
  const needed = openFilesNeeded(clients, loadProcesses)
  if (limit === undefined || limit >= needed) return
  throw new ReplogError(
    'LIMIT',
    `${formatCount(clients)} clients need ${needed} open files in one process, and the system allows ${limit}; ` +
      `raise it with \`ulimit -Hn ${needed}\` (as root, or in limits.conf), or give fewer --clients`,
    { details: { needed, limit } },
  )
}

/** The limit of this process, which its children inherit. */
export function openFileLimit(): number | undefined {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } }
  const soft = report.userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : undefined
}
