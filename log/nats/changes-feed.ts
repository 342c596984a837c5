/**
 * The changes of each table as messages of their own, for consumers in other languages.
 *
 *   subject replog.<cluster>.changes.<catalog>.<schema>.<table>         tokens as subjects.ts says
 *   payload := replog.v1.RowChanges, which is <Table>Changes of `replog proto`
 *
 *   header                   holds, besides those of log-message.ts
 *   Nats-Msg-Id              the position of the transaction, / and the ordinal of the message in it
 *   Replog-Kind              insert, update, delete, rewrite; truncate and drop, whose payload is empty
 *   Replog-Piece             ordinal-next/count: which of the transaction's messages it is
 *   Replog-Table-Id          as in the payload; it stays when a table is renamed
 *   Replog-Table-Version     the version whose .proto reads the rows
 *   Replog-Omitted-Bytes     the payload is empty because one row alone is larger than a message
 *
 * A table is called what it is called when its change is published; one that is gone by then is `=gone.=gone.<id>`.
 * Messages of one transaction follow each other; those of one row change never split. `rewrite` says how every row is
 * stored after a definition change that rewrote the table: what the table held before is gone.
 */
import assert from 'node:assert/strict'
import { type Position, formatPosition } from '../../core/position.js'
import {
  FRAME_HEADER_BYTES,
  checkFrame,
  isLastSegmentAt,
  lsnAt,
  segmentAt,
  epochAt,
  DIGEST_OFFSET,
} from '../codec/frame.js'
import type { RowChanges, Statement } from '../codec/message.js'
import { rowChangeSize, statementSize, tableFieldsSize, writeStatement } from '../codec/statement-codec.js'
import { decodeTransaction } from '../codec/transaction-codec.js'
import { delimitedSize } from '../codec/wire.js'
import { listCatalogs } from '../catalog-list.js'
import type { ReplicatedState } from '../replicated-state.js'
import { type Feed, type FeedIds, type FeedMessage, type FeedPacker, feedIds } from './feed.js'
import { headFields } from './log-message.js'
import type { Continuation } from './resume.js'
import { allChangesSubjects, changesStream, changesSubject } from './subjects.js'

const GONE = '=gone'
const CATALOGS_PER_PAGE = 1000

/** One message without its place in the transaction. */
interface Change {
  readonly tableId: number
  readonly tableVersion: number
  readonly kind: RowChanges['kind'] | 'truncate' | 'drop'
  readonly payload: Buffer
  readonly omittedBytes: number
}

export function changesFeed(state: ReplicatedState): Feed {
  const ids = feedIds(state)
  return {
    stream: changesStream(ids.cluster),
    subjects: allChangesSubjects(ids.cluster),
    packer: (start, bytesMax) => new ChangesPacker(state, ids, start, bytesMax),
  }
}

class ChangesPacker implements FeedPacker {
  readonly #state: ReplicatedState
  readonly #ids: FeedIds
  readonly #bytesMax: number
  /** So many messages of the first transaction are in the stream already. */
  #done: number
  /** Payloads of a transaction whose last segment has not come. */
  #payloads: Buffer[] = []
  readonly #catalogs = new Map<number, string>()
  /** Table id to subject; forgotten when a definition changes. */
  readonly #subjects = new Map<number, string>()

  constructor(state: ReplicatedState, ids: FeedIds, { resume }: Continuation, bytesMax: number) {
    this.#state = state
    this.#ids = ids
    this.#bytesMax = bytesMax
    this.#done = resume?.offset ?? 0
  }

  async *pack(frames: Buffer): AsyncGenerator<FeedMessage> {
    for (let at = 0; at < frames.length;) {
      const end = checkFrame(frames, at)!
      this.#payloads.push(frames.subarray(at + FRAME_HEADER_BYTES, end))
      if (isLastSegmentAt(frames, at)) {
        const digest = Buffer.from(frames.subarray(at + DIGEST_OFFSET, at + FRAME_HEADER_BYTES))
        const position = { epoch: epochAt(frames, at), lsn: lsnAt(frames, at), digest }
        const payloads = this.#payloads
        this.#payloads = []
        yield* this.#transaction(payloads, position, segmentAt(frames, at))
      }
      at = end
    }
  }

  async *#transaction(payloads: readonly Buffer[], position: Position, segment: number): AsyncGenerator<FeedMessage> {
    const { statements, commitTimestampUs: commitUs } = decodeTransaction(payloads)
    if (!statements.every((statement) => 'rows' in statement)) this.#subjects.clear()
    const changes = statements.flatMap((statement) => changesOf(statement, this.#bytesMax))
    const done = this.#done
    this.#done = 0
    for (const [ordinal, change] of changes.entries()) {
      if (ordinal < done) continue
      const head = {
        ...this.#ids,
        first: { lsn: position.lsn, segment: 0 },
        position,
        segment,
        isWhole: ordinal === changes.length - 1,
        piece: { begin: ordinal, end: ordinal + 1, length: changes.length },
        logBytes: 0n,
        commitUs,
      }
      yield {
        subject: await this.#subjectOf(change.tableId),
        id: `${formatPosition(position)}/${ordinal}`,
        head,
        fields: [...headFields(head), ...fieldsOf(change)],
        bytes: change.payload,
      }
    }
  }

  async #subjectOf(tableId: number): Promise<string> {
    const known = this.#subjects.get(tableId)
    if (known !== undefined) return known
    const { dictionary, readNewest } = this.#state
    const { cluster } = this.#ids
    const table = dictionary.tableById(readNewest, tableId)?.message
    const schema = table && dictionary.schemaById(readNewest, table.schemaId)
    const catalog = table && (await this.#catalogName(table.catalogId))
    const subject =
      table === undefined || schema === undefined || catalog === undefined
        ? `replog.${cluster}.changes.${GONE}.${GONE}.${tableId}`
        : changesSubject(cluster, catalog, schema.name, table.name)
    this.#subjects.set(tableId, subject)
    return subject
  }

  /** Names are the keys of catalogs, so an unknown id means that they are listed again. */
  async #catalogName(id: number): Promise<string | undefined> {
    const known = this.#catalogs.get(id)
    if (known !== undefined) return known
    let after: string | undefined
    do {
      const page = await listCatalogs(this.#state, { after, limit: CATALOGS_PER_PAGE })
      for (const catalog of page.catalogs) this.#catalogs.set(catalog.id, catalog.name)
      after = page.next
    } while (after !== undefined)
    return this.#catalogs.get(id)
  }
}

function fieldsOf({ kind, tableId, tableVersion, omittedBytes }: Change): [string, string][] {
  return [
    ['Replog-Kind', kind],
    ['Replog-Table-Id', tableId.toString()],
    ['Replog-Table-Version', tableVersion.toString()],
    ...(omittedBytes === 0 ? [] : ([['Replog-Omitted-Bytes', omittedBytes.toString()]] as [string, string][])),
  ]
}

function changesOf(statement: Statement, bytesMax: number): Change[] {
  if ('rows' in statement) return rowChangesOf(statement, bytesMax)
  const empty = { payload: Buffer.alloc(0), omittedBytes: 0 }
  if (statement.kind === 'truncateTable') {
    const { id, version } = statement.after
    return [{ tableId: id, tableVersion: version, kind: 'truncate', ...empty }]
  }
  if (statement.kind === 'dropTable') {
    const { id, version } = statement.before
    return [{ tableId: id, tableVersion: version, kind: 'drop', ...empty }]
  }
  return []
}

/** As many rows in each as fit; a row that does not fit alone is only told of. */
function rowChangesOf(changes: RowChanges, bytesMax: number): Change[] {
  const { kind, tableId, tableVersion, rows } = changes
  const made: Change[] = []
  const headBytes = tableFieldsSize(changes)
  let from = 0
  let bodyBytes = headBytes
  const push = (to: number): void => {
    if (to > from)
      made.push({ tableId, tableVersion, kind, payload: encodeRows(changes, from, to, bodyBytes), omittedBytes: 0 })
    from = to
    bodyBytes = headBytes
  }
  for (const [at, row] of rows.entries()) {
    const rowBytes = 1 + delimitedSize(rowChangeSize(kind, row))
    if (bodyBytes + rowBytes > bytesMax) push(at)
    if (headBytes + rowBytes > bytesMax) {
      made.push({ tableId, tableVersion, kind, payload: Buffer.alloc(0), omittedBytes: rowBytes })
      from = at + 1
    } else bodyBytes += rowBytes
  }
  push(rows.length)
  return made
}

/** The RowChanges message: what lies in a Statement behind its lengths and tags. */
function encodeRows(changes: RowChanges, from: number, to: number, bodyBytes: number): Buffer {
  const piece = { changes, from, to, bodyBytes }
  const delimited = Buffer.allocUnsafe(delimitedSize(statementSize(piece)))
  const end = writeStatement(delimited, 0, piece)
  assert(end === delimited.length, 'sizes foretell what is written')
  return delimited.subarray(end - bodyBytes)
}
