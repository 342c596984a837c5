/**
 * `Request` of session.proto, written: what a client sends as a binary frame.
 *
 *   request   := id session? operation
 *   operation := a message of its own | json    definitions, and whatever has no message yet, are JSON text
 *
 * What is empty is left out, as proto3 has it.
 */
import { definitionText } from './definition-text.js'
import { FrameWriter } from './frame-writer.js'
import type {
  BeginRequest,
  CheckRequest,
  AckRequest,
  CommitRequest,
  ExecuteRequest,
  GetForUpdateRequest,
  InsertRequest,
  KeyRequest,
  Operation,
  ScanRequest,
  SessionRequest,
  UpdateRequest,
} from './messages.js'
import {
  ID_FIELD,
  ACK_LEVEL_NAMES,
  ACK_TIMEOUT_ACTIONS,
  ISOLATIONS,
  JSON_FIELD,
  type MessageName,
  OPERATION_FIELDS,
  SESSION_FIELD,
  type StatementName,
  isMessageStatement,
} from './request-fields.js'
import { type Values, writeRow, writeRows, writeValue } from './values.js'

const writer = new FrameWriter()

/** @throws ReplogError INVALID_VALUE for a value that no column holds */
export function encodeRequest(request: SessionRequest): Buffer {
  writer.reset()
  if (request.id !== 0) writer.uint32(ID_FIELD, request.id)
  if (request.session !== 0) writer.uint32(SESSION_FIELD, request.session)
  writeOperation(request)
  return writer.finish()
}

function writeOperation({ name, input }: Operation): void {
  switch (name) {
    case 'insert':
    case 'update':
    case 'delete':
    case 'get':
    case 'scan':
    case 'check':
      writeStatement(name, input)
      return
    case 'createTable':
    case 'createTableAs':
    case 'alterTable':
    case 'renameTables':
    case 'truncateTable':
    case 'dropTable':
    case 'createIndex':
    case 'dropIndex':
    case 'createSchema':
    case 'alterSchema':
    case 'dropSchema':
      writer.string(JSON_FIELD, definitionText({ [name]: input }))
      return
    case 'getForUpdate':
      writeMessage(name, input, writeGetForUpdate)
      return
    case 'openCursor':
      writeMessage(name, input, writeCursor)
      return
    case 'fetch':
      writeMessage(name, input, ({ cursor, rows }) => {
        number(1, cursor)
        number(2, rows)
      })
      return
    case 'closeCursor':
      writeMessage(name, input, ({ cursor }) => {
        number(1, cursor)
      })
      return
    case 'begin':
      writeMessage(name, input, writeBegin)
      return
    case 'commit':
      writeMessage(name, input, ({ idempotencyKey, ack }) => {
        optionalText(1, idempotencyKey)
        writeAck(2, ack)
      })
      return
    case 'savepoint':
    case 'releaseSavepoint':
    case 'rollbackTo':
      writeMessage(name, input, (savepoint) => {
        text(1, savepoint.name)
      })
      return
    case 'execute':
      writeMessage(name, input, writeExecute)
      return
    case 'rollback':
    case 'closeSession':
    case 'ping':
      writer.close(writer.open(OPERATION_FIELDS[name]))
  }
}

function writeStatement(name: StatementName, input: unknown): void {
  switch (name) {
    case 'insert':
      writeMessage(name, input as InsertRequest, ({ table, rows }) => {
        text(1, table)
        writeRows(writer, 2, rows)
      })
      return
    case 'update':
      writeMessage(name, input as UpdateRequest, writeUpdate)
      return
    case 'delete':
    case 'get':
      writeMessage(name, input as KeyRequest, writeKey)
      return
    case 'scan':
      writeMessage(name, input as ScanRequest, writeCursor)
      return
    case 'check':
      writeMessage(name, input as CheckRequest, (check) => {
        writeKey(check)
        if (check.exists !== undefined) writer.bool(3, check.exists)
        optionalRow(4, check.equals)
      })
  }
}

function writeMessage<Input>(name: MessageName, input: Input, write: (input: Input) => void): void {
  const start = writer.open(OPERATION_FIELDS[name])
  write(input)
  writer.close(start)
}

function writeKey({ table, key }: KeyRequest): void {
  text(1, table)
  writeRow(writer, 2, key)
}

function writeUpdate(update: UpdateRequest): void {
  writeKey(update)
  for (const column of Object.keys(update.set)) {
    const value = update.set[column]
    if (value === undefined) continue
    const start = writer.open(3)
    text(1, column)
    if (isAddition(value)) writeValue(writer, 3, value.add)
    else writeValue(writer, 2, value)
    writer.close(start)
  }
}

function writeGetForUpdate(input: GetForUpdateRequest): void {
  writeKey(input)
  if (input.timeoutMs !== undefined) writer.uint32(3, input.timeoutMs)
}

/** A scan or, without a limit, a cursor. */
function writeCursor({ table, index, prefix, from, to, limit, reverse }: ScanRequest): void {
  text(1, table)
  optionalText(2, index)
  optionalRow(3, prefix)
  optionalRow(4, from)
  optionalRow(5, to)
  if (limit !== undefined) writer.uint32(6, limit)
  if (reverse === true) writer.bool(7, true)
}

function writeBegin({ isolation, readOnly, annotations }: BeginRequest): void {
  if (isolation !== undefined) writer.uint32(1, ISOLATIONS.indexOf(isolation) + 1)
  if (readOnly === true) writer.bool(2, true)
  writeAnnotations(3, annotations)
}

function writeExecute({ statements, annotations, idempotencyKey, ack }: ExecuteRequest): void {
  for (const statement of statements) {
    const start = writer.open(1)
    const [[name, input] = ['', undefined], ...others] = Object.entries(statement)
    if (others.length === 0 && isMessageStatement(name)) writeStatement(name, input)
    else writer.string(JSON_FIELD, definitionText(statement))
    writer.close(start)
  }
  writeAnnotations(2, annotations)
  optionalText(3, idempotencyKey)
  writeAck(4, ack)
}

/** What is no level or action becomes the one that is not specified, which the server refuses. */
function writeAck(field: number, ack: CommitRequest['ack']): void {
  if (ack === undefined) return
  const { level, replicas, timeoutMs, onTimeout }: AckRequest = typeof ack === 'string' ? { level: ack } : ack
  const start = writer.open(field)
  number(1, ACK_LEVEL_NAMES.indexOf(level) + 1)
  if (replicas !== undefined) writer.uint32(2, replicas)
  if (timeoutMs !== undefined) writer.uint32(3, timeoutMs)
  if (onTimeout !== undefined) number(4, ACK_TIMEOUT_ACTIONS.indexOf(onTimeout) + 1)
  writer.close(start)
}

function writeAnnotations(field: number, annotations: Readonly<Record<string, string>> | undefined): void {
  for (const [name, value] of Object.entries(annotations ?? {})) {
    const start = writer.open(field)
    writer.string(1, name)
    writer.string(2, value)
    writer.close(start)
  }
}

/** proto3 leaves out what is empty. */
function text(field: number, value: string): void {
  if (value !== '') writer.string(field, value)
}

function number(field: number, value: number): void {
  if (value !== 0) writer.uint32(field, value)
}

function optionalText(field: number, value: string | undefined): void {
  if (value !== undefined) writer.string(field, value)
}

function optionalRow(field: number, row: Values | undefined): void {
  if (row !== undefined) writeRow(writer, field, row)
}

function isAddition(value: unknown): value is { add: unknown } {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 1 && 'add' in value
}
