/**
 * Reads one file of an archive and verifies that it is what its name says: whole transactions that continue the
 * position in it. (G8)
 *
 * Invariant: a transaction is handed out whole and verified, or not at all.
 */
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'
import { type Position, formatPosition } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import type { Frame } from '../../log/codec/frame.js'
import { type ArchiveFile, placeFault } from './archive-files.js'

export interface ArchivedTransaction {
  readonly frames: readonly Frame[]
  /** After it. */
  readonly position: Position
}

const READ_BYTES = 256 * 1024

/**
 * The transactions of a file in order. A complete one must end with a whole transaction; the growing one may end
 * anywhere, as a crash leaves it, and its whole transactions are given.
 * @throws ReplogError CORRUPT, UNSUPPORTED_VERSION
 */
export async function* readArchiveFile(file: ArchiveFile): AsyncGenerator<ArchivedTransaction> {
  const reader = new FrameReader()
  const verifier = new ChainVerifier(file.start)
  for await (const chunk of contentOf(file)) {
    const frames = framesOf(file, reader, chunk, verifier.position)
    for (const frame of frames) {
      const whole = verified(file, verifier, frame)
      if (whole !== undefined) yield { frames: whole, position: verifier.position }
    }
  }
  if (file.state === 'growing' || (reader.pendingBytes === 0 && verifier.openBytes === 0)) return
  throw damaged(file, verifier.position, new ReplogError('CORRUPT', 'it ends inside of a transaction'))
}

function framesOf(file: ArchiveFile, reader: FrameReader, chunk: Buffer, at: Position): readonly Frame[] {
  try {
    return reader.push(chunk)
  } catch (error) {
    throw damaged(file, at, error)
  }
}

function verified(file: ArchiveFile, verifier: ChainVerifier, frame: Frame): readonly Frame[] | undefined {
  try {
    return verifier.push(frame)
  } catch (error) {
    throw damaged(file, verifier.position, error)
  }
}

async function* contentOf(file: ArchiveFile): AsyncGenerator<Buffer> {
  const raw = createReadStream(file.path, { highWaterMark: READ_BYTES })
  const source = file.state === 'compressed' ? raw.pipe(createGunzip({ chunkSize: READ_BYTES })) : raw
  // `pipe` does not pass errors on.
  if (source !== raw) raw.on('error', (error) => source.destroy(error))
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) yield chunk
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw new ReplogError(
        'CORRUPT',
        `${file.path} is damaged: it does not decompress (${messageOf(error)}). Use another copy of this file`,
        { cause: error },
      )
    }
    throw placeFault(file.path, error)
  } finally {
    raw.destroy()
  }
}

function damaged(file: ArchiveFile, position: Position, error: unknown): unknown {
  if (!isReplogError(error) || error.code === 'UNSUPPORTED_VERSION') return error
  const advice =
    file.state === 'growing'
      ? '`replog log archive` fetches what follows again'
      : 'Use another copy of this file; what lies before is sound'
  return new ReplogError(
    'CORRUPT',
    `${file.path} is damaged behind position ${formatPosition(position)}: ${error.message}. ${advice}`,
    { cause: error, details: { file: file.path, soundUpTo: formatPosition(position) } },
  )
}
