/**
 * The form of a statement from an embedding application, where anything may stand in any place; over HTTP a schema has
 * looked before. What is in its parts, like names, values and definitions, is checked where it is used.
 *
 * Invariant: what passes can be taken apart without a TypeError. It costs a statement on single rows two property reads.
 */
import { ReplogError } from '../core/errors.js'

interface Kind {
  readonly is: (value: unknown) => boolean
  readonly text: string
}

const LIST: Kind = { is: Array.isArray, text: 'a list' }
const OBJECT: Kind = { is: isObject, text: 'an object' }
const TEXT: Kind = { is: (value) => typeof value === 'string', text: 'a text' }
/** Not any true value: whoever writes `cascade: 'false'` must not be taken at half a word. */
const FLAG: Kind = { is: (value) => value === undefined || typeof value === 'boolean', text: 'true or false' }
const COUNT: Kind = {
  is: (value) => value === undefined || value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 0),
  text: 'a number of rows, 0 or more',
}

type Form = readonly (readonly [property: string, kind: Kind])[]

/** By the name of the statement, in the order in which messages list them. */
const FORMS = {
  insert: [['rows', { is: LIST.is, text: 'a list of rows' }]],
  update: [],
  delete: [],
  get: [],
  scan: [
    ['limit', COUNT],
    ['reverse', FLAG],
  ],
  check: [],
  createTable: [
    ['table', { is: OBJECT.is, text: 'a table definition' }],
    ['ifNotExists', FLAG],
  ],
  createTableAs: [
    ['from', { is: OBJECT.is, text: 'a scan: an object with a `table`' }],
    ['ifNotExists', FLAG],
  ],
  alterTable: [['changes', LIST]],
  renameTables: [['tables', LIST]],
  truncateTable: [],
  dropTable: [['ifExists', FLAG]],
  createIndex: [
    ['index', { is: OBJECT.is, text: 'an index definition' }],
    ['ifNotExists', FLAG],
  ],
  dropIndex: [
    ['index', { is: TEXT.is, text: 'the name of an index' }],
    ['ifExists', FLAG],
  ],
  createSchema: [['ifNotExists', FLAG]],
  alterSchema: [],
  dropSchema: [
    ['ifExists', FLAG],
    ['cascade', FLAG],
  ],
} as const satisfies Readonly<Record<string, Form>>

/** The names of all statements that a one-shot transaction may hold. */
export const STATEMENT_NAMES: readonly string[] = Object.keys(FORMS)

const FORM_OF: ReadonlyMap<string, Form> = new Map<string, Form>(Object.entries(FORMS))

export function isStatementName(name: string): boolean {
  return FORM_OF.has(name)
}

/**
 * @param name one of `STATEMENT_NAMES`; of another, `input` is an object and that is all
 * @throws ReplogError INVALID_ARGUMENT
 */
export function checkStatementInput(name: string, input: unknown): void {
  if (!isObject(input)) throw new ReplogError('INVALID_ARGUMENT', `\`${name}\` is an object`)
  for (const [property, kind] of FORM_OF.get(name) ?? []) {
    if (kind.is(input[property])) continue
    throw new ReplogError('INVALID_ARGUMENT', `\`${name}.${property}\` is ${kind.text}`)
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
