/** Names of constraints: checks and foreign keys of a table share one space of names. */
import { IDENTIFIER_CODE_POINTS_MAX } from '../core/limits.js'
import type { TableMessage } from '../log/codec/message.js'
import type { Invalid } from './invalid-definition.js'

/** What a new constraint must know of its table. */
export type ConstraintOwner = Pick<TableMessage, 'name' | 'columns' | 'foreignKeys' | 'checks'>

/** @throws ReplogError INVALID_DEFINITION when a constraint of the table has the name */
export function requireConstraintName(name: string, owner: ConstraintOwner, invalid: Invalid): void {
  if (constraintNames(owner).has(name)) {
    throw invalid(`constraint ${JSON.stringify(name)} is defined twice; checks and foreign keys share their names`)
  }
}

export function constraintNames(owner: ConstraintOwner): Set<string> {
  return new Set([...owner.foreignKeys, ...owner.checks].map(({ name }) => name))
}

/**
 * `stem` ++ `suffix` when it is free, else the first free one of those with `_2`, `_3`, … behind; the stem is cut where
 * the whole would be longer than a name may be.
 */
export function freeName(stem: string, suffix: string, taken: ReadonlySet<string>): string {
  for (let attempt = 1; ; attempt++) {
    const end = attempt === 1 ? suffix : `${suffix}_${attempt}`
    const name = `${[...stem].slice(0, IDENTIFIER_CODE_POINTS_MAX - [...end].length).join('')}${end}`
    if (!taken.has(name)) return name
  }
}
