/**
 * Reads the log out of an archive, verified frame by frame: what is handed out continues the position that was asked
 * for, without a gap and with the digest of every frame right. (G3, G8, G9)
 */
import { ReplogError } from '../../core/errors.js'
import { type Position, digestsEqual, formatPosition } from '../../core/position.js'
import { type ArchiveFile, listArchive } from './archive-files.js'
import { readArchiveFile } from './read-file.js'

/**
 * The frames of whole transactions behind `after`, in order, up to the end of the archive; none when `after` is its end.
 * The files are listed once: those that an archiver begins meanwhile are not seen.
 * @throws ReplogError HISTORY_LOST when the archive begins later; DIVERGED when `after` is not in its history; NOT_FOUND
 *   when the archive is empty, or ends before `after`; CORRUPT for a damaged or missing file
 */
export async function* archivedFrames(directory: string, after: Position): AsyncGenerator<Buffer> {
  const files = await listArchive(directory)
  const first = firstFile(directory, files, after)
  let reached = files[first]!.start
  let isFound = samePlace(directory, reached, after)
  for (const file of files.slice(first)) {
    requireContinues(directory, file, reached)
    for await (const { frames, position } of readArchiveFile(await asItIsNow(directory, file))) {
      reached = position
      if (isFound) for (const frame of frames) yield frame.bytes
      else isFound = samePlace(directory, position, after)
    }
  }
  if (isFound) return
  throw new ReplogError(
    'NOT_FOUND',
    `the archive ${directory} ends at ${formatPosition(reached)}, before ${formatPosition(after)}; let it follow the server`,
  )
}

/** The growing file may have been completed since it was listed, and has another name then. */
async function asItIsNow(directory: string, file: ArchiveFile): Promise<ArchiveFile> {
  if (file.state !== 'growing') return file
  return (await listArchive(directory)).find(({ start }) => start.lsn === file.start.lsn) ?? file
}

/** Where an archive begins; undefined when it is empty. */
export async function archiveStart(directory: string): Promise<Position | undefined> {
  return (await listArchive(directory))[0]?.start
}

/** Of the file that holds the transaction behind `after`, or would. */
function firstFile(directory: string, files: readonly ArchiveFile[], after: Position): number {
  const oldest = files[0]?.start
  if (oldest === undefined) {
    throw new ReplogError('NOT_FOUND', `${directory} holds no archived log; \`replog log archive\` makes one`)
  }
  if (after.lsn < oldest.lsn) {
    throw new ReplogError(
      'HISTORY_LOST',
      `the archive ${directory} begins at LSN ${oldest.lsn + 1n}; LSN ${after.lsn + 1n} is not in it. Start from a copy ` +
        `that is at ${formatPosition(oldest)} or later`,
      { details: { oldest: oldest.lsn.toString(), oldestPosition: formatPosition(oldest) } },
    )
  }
  return files.findLastIndex(({ start }) => start.lsn <= after.lsn)
}

/** Whether `position` is `after`. @throws ReplogError DIVERGED when it is another one with the same LSN */
function samePlace(directory: string, position: Position, after: Position): boolean {
  if (position.lsn !== after.lsn) return false
  if (position.epoch === after.epoch && digestsEqual(position.digest, after.digest)) return true
  throw new ReplogError(
    'DIVERGED',
    `position ${formatPosition(after)} is not in the history of the archive ${directory}, which has ` +
      `${formatPosition(position)} there; use the archive of the server that the copy is from`,
  )
}

function requireContinues(directory: string, { path, start }: ArchiveFile, reached: Position): void {
  if (start.lsn === reached.lsn && start.epoch === reached.epoch && digestsEqual(start.digest, reached.digest)) return
  if (start.lsn === reached.lsn) {
    throw new ReplogError(
      'DIVERGED',
      `${path} continues ${formatPosition(start)}, but the file before it ends at ${formatPosition(reached)}: the ` +
        'directory holds archives of two histories; keep them apart',
    )
  }
  throw new ReplogError(
    'CORRUPT',
    start.lsn > reached.lsn
      ? `LSN ${reached.lsn + 1n} to ${start.lsn} are missing from the archive ${directory}; put the missing file back`
      : `${path} begins at LSN ${start.lsn + 1n}, but the file before it goes up to ${reached.lsn}; remove one of them`,
  )
}
