/** Options and comments are carried as they were given, within their bounds. */
import t from 'tap'
import { OPTIONS_LENGTH_MAX, OPTIONS_MAX } from '../../core/limits.js'
import { checkComment, checkOptions } from '../../ddl/options.js'

const INVALID = { code: 'INVALID_DEFINITION' }

t.test('options of a new object', async (t) => {
  t.same(checkOptions(undefined), {})
  t.same(checkOptions({}), {})
  t.same(checkOptions({ owner: 'billing', 'any name': '' }), { owner: 'billing', 'any name': '' })
  t.throws(() => checkOptions('owner=billing'), { ...INVALID, message: '`options` must be an object' })
  t.throws(() => checkOptions(['owner']), INVALID)
  t.throws(() => checkOptions({ ttl: 5 }), { ...INVALID, message: 'the value of option "ttl" must be a string' })
  t.throws(() => checkOptions({ ttl: null }), { ...INVALID, message: /leave it out to have none/ })
  t.throws(() => checkOptions({ ttl: '\ud800' }), INVALID)
  t.throws(() => checkOptions({ '': 'x' }), { code: 'INVALID_ARGUMENT' })
  t.throws(() => checkOptions(JSON.parse('{"__proto__":"x"}')), { code: 'INVALID_ARGUMENT' })
  t.throws(() => checkOptions({ 'a\nb': 'x' }), { code: 'INVALID_ARGUMENT' })
})

t.test('options that change: set, replaced, taken away', async (t) => {
  const previous = { owner: 'billing', ttl: '5' }
  t.same(checkOptions({ ttl: '6', color: 'red' }, previous), { owner: 'billing', ttl: '6', color: 'red' })
  t.same(checkOptions({ ttl: null, never: null }, previous), { owner: 'billing' })
  t.same(checkOptions(undefined, previous), previous)
  t.same(previous, { owner: 'billing', ttl: '5' }, 'the previous ones are left alone')
  t.throws(() => checkOptions({ ttl: 6 }, previous), {
    ...INVALID,
    message: 'the value of option "ttl" must be a string, or null to take it away',
  })
})

t.test('bounds of options count what comes out', async (t) => {
  const many = Object.fromEntries(Array.from({ length: OPTIONS_MAX }, (_, at) => [`o${at}`, '']))
  t.same(checkOptions(many), many)
  t.throws(() => checkOptions({ one: '' }, many), { ...INVALID, message: `at most ${OPTIONS_MAX} options` })
  t.same(Object.keys(checkOptions({ one: '', o0: null }, many)).length, OPTIONS_MAX)
  const long = { name: 'x'.repeat(OPTIONS_LENGTH_MAX - 4) }
  t.same(checkOptions(long), long)
  t.throws(() => checkOptions({ name: `${long.name}x` }), INVALID)
})

t.test('comments', async (t) => {
  t.equal(checkComment(undefined), '')
  t.equal(checkComment(null), '')
  t.equal(checkComment("it's\nfine"), "it's\nfine")
  t.equal(checkComment('x'.repeat(1024)).length, 1024)
  for (const comment of [5, {}, '\udc00', 'x'.repeat(1025)]) {
    t.throws(() => checkComment(comment), { ...INVALID, message: 'a comment is a string of at most 1024 characters' })
  }
})
