/**
 * G2: whatever k members have confirmed, any n − k + 1 of the members that there are later have among them; whatever replicas
 * come, leave, fall behind and catch up, and whatever k the primary is started with again.
 */
import fc from 'fast-check'
import t from 'tap'
import { confirmationsAfter, membersAfter } from '../../tools/failover/members.js'

const SERVERS = ['a', 'b', 'c', 'd']

const EVENT = fc.record({
  server: fc.constantFrom(...SERVERS),
  what: fc.constantFrom('connect', 'leave', 'progress', 'progress', 'commit', 'record', 'record', 'start'),
  by: fc.bigInt(1n, 5n),
})

void t.test('what was confirmed stays with as many members as confirmed it', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(EVENT, { maxLength: 80, size: 'max' }), (first, events) => {
      let asked = first
      /** How many have what was confirmed, by the record. */
      let recorded = 1
      let opened = 0n
      let head = 0n
      let acknowledged = 0n
      let members: readonly string[] = []
      let counted: readonly string[] = []
      const connected = new Set<string>()
      const durable = new Map(SERVERS.map((server) => [server, 0n]))
      for (const { server, what, by } of events) {
        if (what === 'connect') connected.add(server)
        else if (what === 'start') {
          asked = Number((by % 3n) + 1n)
          opened = head
          counted = []
        } else if (what === 'leave') connected.delete(server)
        else if (what === 'commit') head += by
        else if (what === 'progress' && connected.has(server)) {
          const next = durable.get(server)! + by
          durable.set(server, next < head ? next : head)
        } else if (what === 'record') {
          members = membersAfter({
            known: members,
            connected: [...connected],
            durable: (member) => durable.get(member)!,
            confirmations: Math.max(asked, recorded),
          })
          const reached = members.map((member) => durable.get(member)!)
          recorded = confirmationsAfter({ before: recorded, asked, lsn: opened, reached })
          counted = members
        }
        const confirmed = counted.map((member) => durable.get(member)!).sort((one, other) => (one < other ? 1 : -1))
        const now = confirmed[asked - 1] ?? 0n
        if (now > acknowledged) acknowledged = now
        const having = members.filter((member) => durable.get(member)! >= acknowledged).length
        if (acknowledged > 0n && having < recorded) return false
      }
      return true
    }),
    { numRuns: 1000 },
  )
  t.pass('in every course of events')
})

void t.test('one that is gone leaves when the others have what it had, and not before', async (t) => {
  const durable = new Map([
    ['a', 5n],
    ['b', 3n],
  ])
  const after = (connected: string[], confirmations = 1): string[] =>
    membersAfter({ known: ['a', 'b'], connected, durable: (member) => durable.get(member) ?? 0n, confirmations })
  t.same(after(['b']), ['a', 'b'], 'a has more than b')
  t.same(after(['a']), ['a'])
  t.same(after(['a'], 2), ['a', 'b'], 'one alone cannot stand for two')
  t.same(after([]), ['a', 'b'], 'the last ones stay')
  t.same(after(['a', 'c']), ['a', 'c'], 'who comes is one')
})
