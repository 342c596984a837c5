/** A write set keeps its operations in order and counts their bytes. */
import t from 'tap'
import { keyText } from '../../store/keys.js'
import { WriteSet } from '../../store/write-set.js'

void t.test('operations are kept in order, with their before images and texts', async (t) => {
  const [a, b] = [Buffer.from([0x52, 0xff]), Buffer.from('b')]
  const [one, two] = [Buffer.from('1'), Buffer.from('22')]
  const writes = new WriteSet()
  t.equal(writes.isEmpty, true)
  writes.put(a, one)
  writes.put(a, two, one)
  writes.delete(b, one, 'b')
  t.same(writes.keys, [a, a, b])
  t.same(writes.texts, [keyText(a), keyText(a), 'b'])
  t.same(writes.befores, [undefined, one, one])
  t.same(writes.afters, [one, two, undefined])
  t.equal(writes.length, 3)
  t.equal(writes.bytes, 2 + 1 + 2 + 2 + 1)
  t.equal(writes.isEmpty, false)
})

void t.test('a write set that is cleared is as a new one, after few operations and after many', async (t) => {
  const writes = new WriteSet()
  for (const operations of [3, 40, 2]) {
    for (let number = 0; number < operations; number++) writes.put(Buffer.from(`k${number % 30}`), Buffer.alloc(2))
    t.equal(writes.lastIndexOf('k1') >= 0, true)
    writes.clear()
    t.same([writes.length, writes.bytes, writes.isEmpty, writes.lastIndexOf('k1')], [0, 0, true, -1])
    writes.delete(Buffer.from('other'))
    t.equal(writes.lastIndexOf('other'), 0)
    t.same(writes.texts, ['other'])
    writes.clear()
  }
})

void t.test('the last operation on a key is found among few and among many, also after taking some back', async (t) => {
  for (const rounds of [2, 20]) {
    const writes = new WriteSet()
    const key = (index: number) => Buffer.from(`k${index}`)
    for (let round = 0; round < rounds; round++) {
      for (const index of [0, 1]) writes.put(key(index), Buffer.from([round]))
    }
    t.equal(writes.lastIndexOf('k0'), rounds * 2 - 2)
    t.equal(writes.lastIndexOf('k1'), rounds * 2 - 1)
    t.equal(writes.lastIndexOf('k2'), -1)
    writes.put(key(2), Buffer.alloc(1))
    t.equal(writes.lastIndexOf('k2'), rounds * 2)
    writes.truncate(1)
    t.same([writes.lastIndexOf('k0'), writes.lastIndexOf('k1'), writes.lastIndexOf('k2')], [0, -1, -1])
    t.same([writes.length, writes.bytes], [1, 3])
    t.same([writes.texts.length, writes.befores.length, writes.afters.length], [1, 1, 1])
  }
})
