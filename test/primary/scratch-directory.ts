/**
 * A directory of one test, removed when everything that the test opened in it was closed.
 *
 * tap removes what `t.testdir` made before it calls the teardown handlers, unless one was there first.
 */
import type { Test } from 'tap'

export function scratchDirectory(t: Test): string {
  t.teardown(() => undefined)
  return t.testdir({})
}
