/**
 * The form of a list of changes, before anything is looked up: which change each one is, which properties it has and
 * of which kind they are. What names, types and literals mean, the changes themselves find out.
 */
import { ReplogError } from '../core/errors.js'
import { ALTER_CHANGES_MAX } from '../core/limits.js'
import type { AlterTableChange } from './alter-definition.js'
import { nearest } from './nearest.js'

type NamesOf<Union> = Union extends unknown ? keyof Union : never

export type ChangeKind = NamesOf<AlterTableChange>
export type ChangeBody<Kind extends ChangeKind> = Extract<AlterTableChange, Readonly<Record<Kind, unknown>>>[Kind]

/** `value`: anything but undefined. A question mark: may be left out. */
type PropertyKind = 'text' | 'text?' | 'flag?' | 'value' | 'value?'

const PLACE = { first: 'flag?', after: 'text?' } as const

/** The properties of each change. 'options': names of the user's choice. */
const FORMS: Readonly<Record<ChangeKind, Readonly<Record<string, PropertyKind>> | 'options'>> = {
  addColumn: {
    name: 'text',
    type: 'text',
    notNull: 'flag?',
    default: 'value?',
    autoIncrement: 'flag?',
    comment: 'text?',
    ...PLACE,
  },
  dropColumn: { name: 'text' },
  renameColumn: { name: 'text', to: 'text' },
  moveColumn: { name: 'text', ...PLACE },
  setDefault: { column: 'text', default: 'value' },
  dropDefault: { column: 'text' },
  setNotNull: { column: 'text' },
  dropNotNull: { column: 'text' },
  setType: { column: 'text', type: 'text' },
  setColumnComment: { column: 'text', comment: 'text' },
  addIndex: { name: 'text', columns: 'value', unique: 'flag?' },
  dropIndex: { name: 'text' },
  renameIndex: { name: 'text', to: 'text' },
  setPrimaryKey: { columns: 'value' },
  addForeignKey: { name: 'text?', columns: 'value', references: 'value', onDelete: 'text?', onUpdate: 'text?' },
  dropForeignKey: { name: 'text' },
  addCheck: { name: 'text?', expression: 'value' },
  dropCheck: { name: 'text' },
  setComment: { comment: 'text' },
  setOptions: 'options',
  setRowImage: { rowImage: 'text' },
}

const KINDS = Object.keys(FORMS) as readonly ChangeKind[]

/** @throws ReplogError INVALID_ARGUMENT unless it is a list of 1 to ALTER_CHANGES_MAX */
export function requireChangeList(changes: unknown): asserts changes is readonly unknown[] {
  if (!Array.isArray(changes)) {
    throw new ReplogError('INVALID_ARGUMENT', 'changes are a list such as [{"dropColumn":{"name":"note"}}]')
  }
  if (changes.length === 0) throw new ReplogError('INVALID_ARGUMENT', 'the list of changes is empty; give at least one')
  if (changes.length > ALTER_CHANGES_MAX) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `${changes.length} changes in one statement; at most ${ALTER_CHANGES_MAX}, so split the list`,
    )
  }
}

/** Which change it is. @throws ReplogError INVALID_ARGUMENT unless it is an object with one key that is a change */
export function kindOf(change: unknown): ChangeKind {
  if (!isObject(change)) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      'a change is an object with one key, such as {"dropColumn":{"name":"note"}}',
    )
  }
  const keys = definedKeys(change)
  const unknown = keys.find((key) => !isKind(key))
  if (unknown !== undefined) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `there is no change ${JSON.stringify(unknown)}${nearest(unknown, KINDS) || `; the changes are ${KINDS.join(', ')}`}`,
    )
  }
  if (keys.length !== 1) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      keys.length === 0
        ? `the change is empty; give it one key of ${KINDS.join(', ')}`
        : `${keys.join(' and ')} are in one object; put each into its own, in the order in which they are to be made`,
    )
  }
  return keys[0] as ChangeKind
}

/** @throws ReplogError INVALID_ARGUMENT for properties that the change does not have, lacks, or that are of another kind */
export function bodyOf<Kind extends ChangeKind>(
  change: Readonly<Record<string, unknown>>,
  kind: Kind,
): ChangeBody<Kind> {
  const body = change[kind]
  const form = FORMS[kind]
  if (!isObject(body)) throw new ReplogError('INVALID_ARGUMENT', `its value must be an object${shown(form)}`)
  if (form !== 'options') requireForm(body, form)
  return body as ChangeBody<Kind>
}

function requireForm(body: Readonly<Record<string, unknown>>, form: Readonly<Record<string, PropertyKind>>): void {
  const names = Object.keys(form)
  for (const key of definedKeys(body)) {
    if (Object.hasOwn(form, key)) continue
    const advice = nearest(key, names) || `; it has ${names.join(', ')}`
    throw new ReplogError('INVALID_ARGUMENT', `it has no property ${JSON.stringify(key)}${advice}`)
  }
  for (const name of names) {
    const kind = form[name]!
    const value = body[name]
    if (value === undefined) {
      if (kind.endsWith('?')) continue
      throw new ReplogError('INVALID_ARGUMENT', `it lacks \`${name}\`${shown(form)}`)
    }
    const expected = kind.startsWith('text') ? 'string' : kind.startsWith('flag') ? 'boolean' : typeof value
    if (typeof value !== expected) throw new ReplogError('INVALID_ARGUMENT', `\`${name}\` must be a ${expected}`)
  }
}

function shown(form: Readonly<Record<string, PropertyKind>> | 'options'): string {
  return form === 'options' ? '' : ` with ${Object.keys(form).join(', ')}`
}

function isKind(key: string): key is ChangeKind {
  return Object.hasOwn(FORMS, key)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A property that is undefined is none, as in a definition. */
function definedKeys(object: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(object).filter((key) => object[key] !== undefined)
}
