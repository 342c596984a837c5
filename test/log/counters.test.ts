/** The records beside the log that are folds of it: table statistics, ids, log size. */
import fc from 'fast-check'
import t from 'tap'
import type { Lsn } from '../../core/position.js'
import { IdCounters } from '../../log/id-counters.js'
import { decodeLogBytes, encodeLogBytes } from '../../log/log-bytes.js'
import { decodePurgeIndexJob, decodePurgeJob, encodePurgeIndexJob, encodePurgeJob } from '../../log/purge-job.js'
import { TableStats } from '../../log/table-stats.js'

const pair = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 12 }), fc.uint8Array({ maxLength: 40 }))

void t.test('statistics do not depend on order, and what comes and goes leaves no trace', (t) => {
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 30 }), fc.array(pair, { maxLength: 10 }), (rows, passing) => {
      const [forwards, backwards] = [new TableStats(), new TableStats()]
      for (const [key, row] of [...rows, ...passing]) forwards.count(key, row, 1)
      for (const [key, row] of passing) forwards.count(key, row, -1)
      for (const [key, row] of rows.toReversed()) backwards.count(key, row, 1)
      t.equal(forwards.rows, rows.length)
      t.same(forwards.encode(), backwards.encode())
      t.same(TableStats.decode(forwards.encode()), forwards)
    }),
  )
  t.end()
})

void t.test('two rows that exchange their contents change the digest', (t) => {
  const [a, b] = [Buffer.from('key a'), Buffer.from('key b')]
  const [x, y] = [Buffer.from('content x'), Buffer.from('content y')]
  const [straight, crossed] = [new TableStats(), new TableStats()]
  straight.count(a, x, 1)
  straight.count(b, y, 1)
  crossed.count(a, y, 1)
  crossed.count(b, x, 1)
  t.not(straight.digest, crossed.digest)
  t.match(straight.digest, /^[0-9a-f]{16}$/)
  t.end()
})

void t.test('statistics of a wrong length are CORRUPT; the AUTO_INCREMENT mark only rises', (t) => {
  t.throws(() => TableStats.decode(Buffer.alloc(23)), { code: 'CORRUPT' })
  const stats = new TableStats()
  stats.noteAutoIncrement(9_223_372_036_854_775_807n)
  stats.noteAutoIncrement(3n)
  stats.noteAutoIncrement(-5n)
  t.equal(TableStats.decode(stats.encode()).autoIncrement, 9_223_372_036_854_775_807n)
  t.end()
})

const created = (id: number) => ({
  kind: 'createSchema' as const,
  after: { id, catalogId: 1, name: 's', createdUs: 0n, comment: '', options: {} },
})

void t.test('ids: one that was handed out or used never comes again; only used ones are stored', (t) => {
  const ids = new IdCounters()
  t.same([ids.allocate('table'), ids.allocate('table'), ids.allocate('schema')], [1, 2, 1])
  ids.noteUsed([created(5)])
  t.equal(ids.allocate('schema'), 6)
  const stored = IdCounters.decode(ids.encodeUsed())
  t.equal(stored.allocate('schema'), 6, 'handed out, never used, so it is free after a restart')
  t.equal(stored.allocate('table'), 1)
  ids.noteUsed([created(0xffff_ffff)])
  t.throws(() => ids.allocate('schema'), { code: 'LIMIT' })
  t.throws(() => IdCounters.decode(ids.encodeUsed()).allocate('schema'), { code: 'LIMIT' })
  t.throws(() => IdCounters.decode(Buffer.alloc(11)), { code: 'CORRUPT' })
  t.end()
})

void t.test('the log size record and purge jobs come back as they were, or are CORRUPT', (t) => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      (lsn, bytes) => {
        t.same(decodeLogBytes(encodeLogBytes(lsn as Lsn, bytes)), { lsn, bytes })
      },
    ),
  )
  t.throws(() => decodeLogBytes(Buffer.alloc(15)), { code: 'CORRUPT' })
  const job = { tableId: 0xffff_ffff, indexIds: [1, 64] }
  t.same(decodePurgeJob(encodePurgeJob(job)), job)
  t.throws(() => decodePurgeJob(Buffer.alloc(3)), { code: 'CORRUPT' })
  t.throws(() => decodePurgeJob(Buffer.alloc(6)), { code: 'CORRUPT' })
  t.equal(decodePurgeIndexJob(encodePurgeIndexJob(0xffff_ffff)), 0xffff_ffff)
  t.throws(() => decodePurgeIndexJob(Buffer.alloc(0)), { code: 'CORRUPT' })
  t.end()
})
