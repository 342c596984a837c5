/** Named places inside a transaction, in the order in which they were set; as in SQL, a later one of a name hides none. */
import { ReplogError } from '../core/errors.js'
import { TRANSACTION_SAVEPOINTS_MAX } from '../core/limits.js'
import { checkName } from '../ddl/identifiers.js'
import type { BodyMark, TransactionBody } from './transaction-body.js'

export class Savepoints {
  readonly #body: TransactionBody
  /** Oldest first. */
  #set: { readonly name: string; readonly mark: BodyMark }[] = []

  constructor(body: TransactionBody) {
    this.#body = body
  }

  /** @throws ReplogError INVALID_ARGUMENT, LIMIT */
  set(name: string): void {
    checkName('savepoint', name)
    // MySQL's way: setting a name again moves it.
    this.#set = this.#set.filter((savepoint) => savepoint.name !== name)
    if (this.#set.length >= TRANSACTION_SAVEPOINTS_MAX) {
      throw new ReplogError('LIMIT', `a transaction has at most ${TRANSACTION_SAVEPOINTS_MAX} savepoints; release some`)
    }
    this.#set.push({ name, mark: this.#body.mark() })
  }

  /** @throws ReplogError NOT_FOUND */
  release(name: string): void {
    this.#set.length = this.#indexOf(name)
  }

  /** @throws ReplogError NOT_FOUND */
  rollbackTo(name: string): void {
    const index = this.#indexOf(name)
    this.#body.undoTo(this.#set[index]!.mark)
    this.#set.length = index + 1
  }

  #indexOf(name: string): number {
    const index = this.#set.findIndex((savepoint) => savepoint.name === name)
    if (index < 0) throw new ReplogError('NOT_FOUND', `there is no savepoint ${JSON.stringify(name)}`)
    return index
  }
}
