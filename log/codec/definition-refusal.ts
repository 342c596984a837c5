/** What reading a definition answers to one that is damaged, and to one that a later version of this program wrote. */
import { ReplogError } from '../../core/errors.js'

/** `flaw` begins with what it is about: `table 3 "fans" has no columns`. */
export function corruptDefinition(flaw: string): ReplogError {
  return new ReplogError('CORRUPT', `${flaw}; restore this copy from a peer`)
}

/** `what` completes the sentence "… that this program does not know". */
export function newerDefinition(what: string): ReplogError {
  return new ReplogError('UNSUPPORTED_VERSION', `${what} that this program does not know; upgrade this server`)
}
