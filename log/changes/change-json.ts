/**
 * Changes as JSON text. A row's change:
 *
 *   { "type": "insert", "table": "test.orders", "tableId": 3, "tableVersion": 1, "key": {…}, "before": null, "after": {…},
 *     "ordinal": 0, "count": 1, "lsn": "7", "commitTimestamp": "2026-01-31T12:00:00.000001Z", "token": "1.7.ab…" }
 *
 * `annotations` is there where the transaction has some. A definition has `statement`, and the table, schema or catalog
 * before and after as the routes of tables, schemas and catalogs show it, without the figures of its rows. A transaction
 * has its changes in `changes`, without what they share. Values are as in rows: `log/http/json.ts`.
 *
 * Text is joined by hand, and what the changes of a transaction or of a table share is made once.
 */
import { formatPosition } from '../../core/position.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import { timestampOf } from '../codec/types/timestamp.js'
import { isoTime } from '../http/iso-time.js'
import { rowJson, valueJson } from '../http/json.js'
import { tableJson } from '../http/table-json.js'
import type { ReplicatedState } from '../replicated-state.js'
import type {
  Change,
  ChangeOrigin,
  DefinitionEvent,
  RowEvent,
  RowOrDefinition,
  SnapshotRow,
  TransactionEvent,
} from './change.js'
import type { ChangeFormat, Framing } from './change-format.js'
import { type DefinedMessage, describedMessage, isTableMessage } from './described-message.js'

interface TableTexts {
  readonly table: string
  /** The members of a change that follow from its table, behind the type. */
  readonly members: string
  readonly key: readonly Member[]
  readonly columns: readonly Member[]
}

interface Member {
  readonly name: string
  /** What stands before the value: a brace or a comma, the name, a colon. */
  readonly before: string
}

export class ChangeJson implements ChangeFormat {
  readonly #state: ReplicatedState
  readonly #catalog: string
  readonly #framing: Framing
  /** By table id and version. */
  readonly #tables = new Map<number, TableTexts[]>()
  #origin: ChangeOrigin | undefined
  /** Members that the changes of `#origin` share. */
  #shared = ''

  constructor(state: ReplicatedState, catalog: string, framing: Framing) {
    this.#state = state
    this.#catalog = catalog
    this.#framing = framing
  }

  text(change: Exclude<Change, TransactionEvent>): string {
    const { type, token } = change
    return `${this.#framing.begin(type, token)}${this.#json(change, token)}${this.#framing.end}`
  }

  *transaction({ origin, changes, token }: TransactionEvent): Generator<string> {
    const { lsn, position, count, startTimestampUs, serverId, annotations } = origin
    yield (
      `${this.#framing.begin('transaction', token)}{"type":"transaction","lsn":"${lsn}",` +
      `"position":"${formatPosition(position)}","commitTimestamp":"${timestampOf(origin.commitTimestampUs)}",` +
      `"startTimestamp":"${timestampOf(startTimestampUs)}","serverId":"${serverId}",` +
      `"annotations":${JSON.stringify(annotations)},"count":${count},"changes":[`
    )
    for (const [index, change] of changes.entries()) {
      yield `${index === 0 ? '' : ','}${this.#members(change)},"ordinal":${change.ordinal}}`
    }
    yield `],"token":"${token}"}${this.#framing.end}`
  }

  #json(change: Exclude<Change, TransactionEvent>, token: string): string {
    switch (change.type) {
      case 'snapshot':
        return this.#snapshotRow(change, token)
      case 'heartbeat':
      case 'snapshotEnd': {
        const { type, lsn, position } = change
        return `{"type":"${type}","lsn":"${lsn}","position":"${formatPosition(position)}","token":"${token}"}`
      }
      default: {
        const shared = this.#sharedOf(change.transaction)
        return `${this.#members(change)},"ordinal":${change.ordinal}${shared},"token":"${token}"}`
      }
    }
  }

  /** An object that is left open. */
  #members(change: RowOrDefinition): string {
    return change.type === 'definition' ? this.#definition(change) : this.#row(change)
  }

  #row(event: RowEvent): string {
    const { type, before, after } = event
    const { members, key, columns } = this.#tableOf(event, before ?? after)
    const told = before ?? (type === 'update' || type === 'delete' ? undefined : after)
    return (
      `{"type":"${type}"${members},"key":${told === undefined ? rowJson(event.key as RowObject) : imageJson(key, told)},` +
      `"before":${before === undefined ? 'null' : imageJson(columns, before)},` +
      `"after":${after === undefined ? 'null' : imageJson(columns, after)}`
    )
  }

  #snapshotRow(row: SnapshotRow, token: string): string {
    const { after, lsn } = row
    const { members, key, columns } = this.#tableOf(row, after)
    const images = `"key":${imageJson(key, after)},"after":${imageJson(columns, after)}`
    return `{"type":"snapshot"${members},${images},"lsn":"${lsn}","token":"${token}"}`
  }

  #definition(event: DefinitionEvent): string {
    const { statement, table, before, after } = event
    const members = table === undefined ? '' : `,"table":${JSON.stringify(table)}`
    const images = `"before":${this.#messageJson(event, before)},"after":${this.#messageJson(event, after)}`
    return `{"type":"definition","statement":"${statement}"${members},${images}`
  }

  #messageJson(event: DefinitionEvent, message: DefinedMessage | undefined): string {
    if (message === undefined) return 'null'
    if (!isTableMessage(message)) {
      const { id, name, comment, options, createdUs } = message
      return JSON.stringify({ id, name, comment, options, createdAt: isoTime(createdUs) })
    }
    const shown = tableJson(this.#catalog, describedMessage(this.#state, event, message))
    const { rows: _rows, bytes: _bytes, digest: _digest, ...definition } = shown
    return JSON.stringify(definition)
  }

  #sharedOf(origin: ChangeOrigin): string {
    if (origin === this.#origin) return this.#shared
    this.#origin = origin
    const { count, lsn, commitTimestampUs, annotations } = origin
    const text = `,"count":${count},"lsn":"${lsn}","commitTimestamp":"${timestampOf(commitTimestampUs)}"`
    const hasAnnotations = Object.keys(annotations).length > 0
    this.#shared = hasAnnotations ? `${text},"annotations":${JSON.stringify(annotations)}` : text
    return this.#shared
  }

  /** @param row one of this version, all of which have the same columns; undefined where only keys are known */
  #tableOf(change: RowEvent | SnapshotRow, row: RowObject | undefined): TableTexts {
    const { table, tableId, tableVersion } = change
    let versions = this.#tables.get(tableId)
    if (versions === undefined) {
      versions = []
      this.#tables.set(tableId, versions)
    }
    const known = versions[tableVersion]
    // Its schema may be called otherwise now.
    if (known?.table === table && (known.columns.length > 0 || row === undefined)) return known
    const members = `,"table":${JSON.stringify(table)},"tableId":${tableId},"tableVersion":${tableVersion}`
    const columns = membersOf(row === undefined ? [] : Object.keys(row))
    return (versions[tableVersion] = { table, members, key: membersOf(change.keyColumns), columns })
  }
}

function membersOf(names: readonly string[]): Member[] {
  return names.map((name, at) => ({ name, before: `${at === 0 ? '{' : ','}${JSON.stringify(name)}:` }))
}

/** Of one member or more. */
function imageJson(members: readonly Member[], row: RowObject): string {
  let text = ''
  for (const { name, before } of members) text += before + valueJson(row[name]!)
  return `${text}}`
}
