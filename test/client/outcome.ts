/** What became of a promise, as one comparable value. */
import { isReplogError } from '../../core/errors.js'

/** "ok" or the code of the ReplogError that it was rejected with; anything else is thrown on. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'ok'
  } catch (error) {
    if (isReplogError(error)) return error.code
    throw error
  }
}

/** What a promise is rejected with. */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it was not rejected')
}
