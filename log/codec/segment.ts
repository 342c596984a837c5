/**
 * Where a large transaction is cut into segments.
 *
 *   segment := piece*
 *   piece   := a definition statement or marker | a run of the row changes of one statement
 *
 * Invariants: the pieces of all segments, in order, are the statements of the transaction; a segment with
 * more than one row change or definition does not exceed the target; only a statement without rows gives a piece without
 * rows; a transaction decoded from segments is cut at the same places again, so re-encoding gives the same bytes.
 */
import { encodeDefinitionStatement } from './definition-statement-codec.js'
import { encodeVerifyMarker } from './marker-codec.js'
import type { RowChanges, Statement } from './message.js'
import { isRowChanges, rowChangeSize, tableFieldsSize, type Piece } from './statement-codec.js'
import { delimitedSize, VARINT32_BYTES_MAX } from './wire.js'

/** Most bytes that the Statement and the RowChanges messages add to the row changes in them. */
const PIECE_HEAD_BYTES_MAX = 4 * (1 + VARINT32_BYTES_MAX)

/**
 * Cuts `statements` so that segments have about `targetBytes`. `headBytes` is what every segment holds besides its
 * pieces, `firstBytes` what the first one holds on top of that.
 */
export function cutSegments(
  statements: readonly Statement[],
  headBytes: number,
  firstBytes: number,
  targetBytes: number,
): Piece[][] {
  const whole = soleRows(statements, headBytes + firstBytes, targetBytes)
  if (whole !== undefined) return [[whole]]

  let segment: Piece[] = []
  let used = headBytes + firstBytes
  const segments = [segment]

  const next = () => {
    segment = []
    used = headBytes
    segments.push(segment)
  }

  for (const statement of statements) {
    if (!isRowChanges(statement)) {
      const piece = { kind: statement.kind, body: encodeBody(statement) }
      const cost = PIECE_HEAD_BYTES_MAX + piece.body.length
      if (used + cost > targetBytes && segment.length > 0) next()
      segment.push(piece)
      used += cost
      continue
    }
    if (statement.rows.length === 0 && used + PIECE_HEAD_BYTES_MAX > targetBytes && segment.length > 0) next()
    const tableBytes = tableFieldsSize(statement)
    const rows = statement.rows
    let from = 0
    let bodyBytes = tableBytes
    for (let row = 0; row < rows.length; row++) {
      const rowBytes = 1 + delimitedSize(rowChangeSize(statement.kind, rows[row]!))
      const cost = row === from ? PIECE_HEAD_BYTES_MAX + rowBytes : rowBytes
      if (used + cost > targetBytes && (segment.length > 0 || row > from)) {
        if (row > from) segment.push({ changes: statement, from, to: row, bodyBytes })
        next()
        from = row
        bodyBytes = tableBytes
        used += PIECE_HEAD_BYTES_MAX + rowBytes
      } else {
        used += cost
      }
      bodyBytes += rowBytes
    }
    if (rows.length === 0) used += PIECE_HEAD_BYTES_MAX
    segment.push({ changes: statement, from, to: rows.length, bodyBytes })
  }
  return segments
}

/** The message inside the Statement's oneof. */
function encodeBody(statement: Exclude<Statement, RowChanges>): Buffer {
  return statement.kind === 'verifyMarker' ? encodeVerifyMarker(statement) : encodeDefinitionStatement(statement)
}

/** The changes of the most usual transaction, which has one statement on rows and needs no cut. */
function soleRows(statements: readonly Statement[], headBytes: number, targetBytes: number): Piece | undefined {
  const changes = statements[0]
  if (statements.length !== 1 || changes === undefined || !isRowChanges(changes)) return undefined
  const { kind, rows } = changes
  let bodyBytes = tableFieldsSize(changes)
  for (let row = 0; row < rows.length; row++) {
    bodyBytes += 1 + delimitedSize(rowChangeSize(kind, rows[row]!))
    if (headBytes + PIECE_HEAD_BYTES_MAX + bodyBytes > targetBytes) return undefined
  }
  return { changes, from: 0, to: rows.length, bodyBytes }
}
