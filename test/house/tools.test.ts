/** A missing tool skips a test with a reason, or fails it where tools are required; it never passes in silence. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repositoryPath } from './repository.js'
import { findTool, requireTool, type SkippableTest } from './tools.js'

const TOOLS_FILE = JSON.parse(readFileSync(repositoryPath('test/house/tools.json'), 'utf8')) as Record<
  string,
  { readonly files?: readonly string[] }
>

/** Records what a test was told. */
function recordingTest(): { t: SkippableTest; said: string[] } {
  const said: string[] = []
  return {
    said,
    t: {
      fail: (message) => {
        said.push(`fail: ${message}`)
        return false
      },
      pass: (message, { skip }) => {
        said.push(`skip: ${message}: ${skip}`)
        return true
      },
    },
  }
}

t.test('a tool is found under any of its names in the directories of PATH, if it is executable', async (t) => {
  const directory = t.testdir({ plain: { chromium: 'not executable' }, other: {} })
  mkdirSync(join(directory, 'other', 'chromium'))
  const path = join(directory, 'other', 'google-chrome')
  writeFileSync(path, '')
  const searchPath = `${join(directory, 'plain')}:${join(directory, 'other')}`
  t.equal(findTool('chromium', searchPath), undefined, 'a plain file and a directory are not tools')
  chmodSync(path, 0o755)
  t.equal(findTool('chromium', searchPath), path)
})

t.test('a tool that is no program is found where its package puts it', async (t) => {
  const library = TOOLS_FILE['python3-protobuf']?.files?.[0] ?? ''
  t.equal(findTool('python3-protobuf', ''), existsSync(library) ? library : undefined)
})

t.test('a tool that is not in the table is a mistake in the test', async (t) => {
  t.throws(() => findTool('nosuch'), RangeError)
})

t.test('a missing tool skips the test and says how to get it', async (t) => {
  const recording = recordingTest()
  t.equal(requireTool(recording.t, 'strace', { PATH: t.testdir({}) }), undefined)
  t.equal(recording.said.length, 1)
  t.match(recording.said[0], /^skip: needs strace, which .*: not installed \(Debian: apt-get install strace\)$/)
})

t.test('a missing tool fails the test where tools are required', async (t) => {
  const recording = recordingTest()
  t.equal(requireTool(recording.t, 'strace', { PATH: t.testdir({}), REPLOG_TEST_REQUIRE_TOOLS: '1' }), undefined)
  t.match(recording.said, [/^fail: needs strace, .*: not installed/])
})

t.test('a tool that is there is used, without a word', async (t) => {
  const directory = t.testdir({ strace: '' })
  chmodSync(join(directory, 'strace'), 0o755)
  const recording = recordingTest()
  t.equal(requireTool(recording.t, 'strace', { PATH: directory }), join(directory, 'strace'))
  t.same(recording.said, [])
})
