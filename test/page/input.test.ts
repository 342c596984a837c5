/** What the page takes from outside: answers of servers of another age, and the addresses of peers. */
import fc from 'fast-check'
import t from 'tap'
import { peersOf } from '../../tools/page/client/peers.js'
import { parseStatus, parseTables } from '../../tools/page/client/status-parser.js'
import { serverStatus } from './statuses.js'

const OWN = 'http://127.0.0.1:7400'

t.test('a status is taken as it is, anything else is none', async (t) => {
  const status = serverStatus()
  t.equal(parseStatus(status), status)
  for (const part of ['role', 'name', 'serverId', 'position', 'lsn', 'throughput', 'log', 'store']) {
    t.equal(parseStatus({ ...status, [part]: null }), undefined, `without ${part}`)
  }
  t.equal(parseStatus({ ...status, lsn: '-1' }), undefined)
  fc.assert(
    fc.property(fc.jsonValue(), (value) => parseStatus(value) === undefined && parseTables(value) === undefined),
  )
})

t.test('tables are named with their schema; a list with something else in it is none', async (t) => {
  const table = { schema: 'test', name: 'flights', id: 1, version: 2, rows: 3, digest: '00ff' }
  t.same(parseTables({ tables: [table] }), [{ name: 'test.flights', rows: 3, version: 2, digest: '00ff' }])
  t.same(parseTables({ tables: [] }), [])
  for (const part of ['schema', 'name', 'version', 'rows', 'digest']) {
    t.equal(parseTables({ tables: [table, { ...table, [part]: undefined }] }), undefined, `without ${part}`)
  }
  t.equal(parseTables({ tables: [null] }), undefined)
})

t.test('peers on this machine are taken once each, the own address and others are not', async (t) => {
  t.same(peersOf('', OWN), { urls: [], refusals: [] })
  const search = `?peer=http://127.0.0.1:7401/&peer=http://localhost:7402/x&peer=http://127.0.0.1:7401&peer=${OWN}`
  t.same(peersOf(search, OWN), { urls: ['http://127.0.0.1:7401', 'http://localhost:7402'], refusals: [] })
  for (const peer of [
    '',
    'x',
    'javascript:alert(1)',
    'https://127.0.0.1:7401',
    'http://example.org',
    'http://[::1]:7401',
  ]) {
    const { urls, refusals } = peersOf(`?peer=${encodeURIComponent(peer)}`, OWN)
    t.same(urls, [], peer)
    t.equal(refusals.length, 1, peer)
  }
})

t.test('the number of peers is bounded', async (t) => {
  const search = `?${Array.from({ length: 20 }, (_, index) => `peer=http://127.0.0.1:${8000 + index}`).join('&')}`
  const { urls, refusals } = peersOf(search, OWN)
  t.equal(urls.length, 8)
  t.same(refusals, ['Only the first 8 peers are shown.'])
})
