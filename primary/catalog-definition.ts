/** What a catalog is made with, and what of it can be changed. */
import { isDeepStrictEqual } from 'node:util'
import { checkComment, checkOptions } from '../ddl/options.js'
import type { CatalogMessage } from '../log/codec/message.js'

/** What a new catalog has beside its name. */
export interface CreateCatalogInput {
  readonly comment?: string | undefined
  /** Names and values that replog carries and does not interpret. */
  readonly options?: Readonly<Record<string, string>> | undefined
}

/** Changes of a catalog; what is left out stays. */
export interface AlterCatalogInput {
  readonly comment?: string | undefined
  /** A value of null takes the option away; those that are not named stay. */
  readonly options?: Readonly<Record<string, string | null>> | undefined
}

/** @throws ReplogError INVALID_DEFINITION */
export function catalogParts({ comment, options }: CreateCatalogInput): Pick<CatalogMessage, 'comment' | 'options'> {
  return { comment: checkComment(comment), options: checkOptions(options) }
}

/**
 * The catalog with the changes; undefined when it is like that already.
 * @throws ReplogError INVALID_DEFINITION
 */
export function alteredCatalog(
  before: CatalogMessage,
  { comment, options }: AlterCatalogInput,
): CatalogMessage | undefined {
  const after = {
    ...before,
    comment: comment === undefined ? before.comment : checkComment(comment),
    options: options === undefined ? before.options : checkOptions(options, before.options),
  }
  return isDeepStrictEqual(after, before) ? undefined : after
}
