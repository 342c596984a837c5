/** Bounds of the HTTP side alone, unit and qualifier last. */
import assert from 'node:assert/strict'
import { EXPRESSION_DEPTH_MAX, JSON_DEPTH_MAX } from '../../core/limits.js'

/** How long a read waits for the position it asks for when it names no time, in milliseconds. */
export const POSITION_WAIT_MS_DEFAULT = 5_000
/** Longest such wait, in milliseconds. */
export const POSITION_WAIT_MS_MAX = 60_000
/** How long requests that are running may take to finish when the server closes, in milliseconds. */
export const DRAIN_MS_MAX = 10_000
/** How often connections that fell idle since are looked for while the server closes, in milliseconds. */
export const DRAIN_CHECK_MS = 20
/** An answer of rows that is longer than this is streamed, in UTF-16 code units. */
export const ANSWER_BUFFER_LENGTH_MAX = 1024 * 1024
/** Catalogs that a listing returns when it names no number. */
export const CATALOG_LIST_DEFAULT = 1000
/** Most catalogs of one listing. */
export const CATALOG_LIST_MAX = 10_000
/** Versions of a table that a listing returns when it names no number. */
export const VERSION_LIST_DEFAULT = 1000
/** Most versions of one listing. */
export const VERSION_LIST_MAX = 10_000
/** Most change streams that the status shows; all are counted. */
export const CHANGE_READERS_LISTED_MAX = 100
/** How long a browser waits before it takes a broken event stream up again, in milliseconds. */
export const EVENT_RETRY_MS = 1000
/** Longest path parameter: two names of 128 characters that take 4 bytes each, quoted and percent-encoded, fit. */
export const PATH_PARAMETER_LENGTH_MAX = 8 * 1024
/** Longest request line and headers: a prefix and a range of percent-encoded keys fit. */
export const HEADER_BYTES_MAX = 64 * 1024
/** Longest list of names in a query parameter, in UTF-16 code units. */
export const LIST_LENGTH_MAX = 32 * 1024
/** Deepest nesting of arrays and objects in a request: what checks it may follow it by recursion. */
export const JSON_NESTING_MAX = 200
/** Seconds after which a refusal for want of room may be tried again. */
export const RETRY_AFTER_SECONDS = 1
/** Paths longer than this get no "did you mean". */
export const SUGGESTED_PATH_LENGTH_MAX = 256

assert(POSITION_WAIT_MS_DEFAULT <= POSITION_WAIT_MS_MAX, 'the default wait is allowed')
assert(PATH_PARAMETER_LENGTH_MAX * 2 <= HEADER_BYTES_MAX, 'a request line holds a catalog and a table')
assert(LIST_LENGTH_MAX < HEADER_BYTES_MAX, 'a longer list is refused by its name')
assert(JSON_NESTING_MAX >= JSON_DEPTH_MAX + 20, 'a statement holds the deepest value of a JSON column')
assert(JSON_NESTING_MAX >= EXPRESSION_DEPTH_MAX * 2 + 20, 'a statement holds the deepest expression')
