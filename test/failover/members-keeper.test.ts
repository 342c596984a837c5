/** G2: only a replica that takes part in elections confirms, and only as many as an election counts on make it confirmed. */
import t, { type Test } from 'tap'
import type { Lsn } from '../../core/position.js'
import type { Reached } from '../../log/acknowledgements.js'
import type { Ballot, Cluster, Revised } from '../../log/nats/failover-board.js'
import { type MembersBoard, MembersKeeper } from '../../tools/failover/members-keeper.js'
import { openGated } from '../primary/open-primary.js'
import { until } from '../replication/until.js'

const at = (lsn: bigint): Reached => ({ received: lsn as Lsn, durable: lsn as Lsn, applied: lsn as Lsn })

class Board implements MembersBoard {
  record: Revised<Cluster> | undefined
  readonly ballots = new Map<string, Ballot>()
  /** Those whose ballots go on, with each look at one. */
  readonly alive = new Set<string>()
  looks = 0

  async cluster(): Promise<Revised<Cluster> | undefined> {
    this.looks++
    return this.record
  }

  async putCluster(value: Cluster, previous: number): Promise<number | undefined> {
    if ((this.record?.revision ?? 0) !== previous) return undefined
    this.record = { value, revision: previous + 1 }
    return this.record.revision
  }

  async ballot(serverId: string): Promise<Ballot | undefined> {
    const found = this.ballots.get(serverId)
    const beat = (found?.beat ?? 0) + 1
    if (this.alive.has(serverId)) this.ballots.set(serverId, { serverId, position: '', round: -1, beat })
    return found
  }

  get members(): readonly string[] {
    return this.record?.value.members ?? []
  }

  /** Resolves when the keeper has looked around some more times. */
  async moreLooks(): Promise<void> {
    const enough = this.looks + 3
    await until(() => this.looks >= enough)
  }
}

async function keep(t: Test, confirmations = 1, board = new Board()) {
  const { primary } = await openGated(t)
  const keeper = new MembersKeeper(primary, { problem: () => undefined }, board, { url: 'http://own', confirmations })
  t.teardown(() => keeper.stop())
  return { acknowledgements: primary.acknowledgements, board, primary }
}

void t.test('who writes no ballots is no member and confirms nothing, also when it wrote one long ago', async (t) => {
  const { acknowledgements, board } = await keep(t)
  board.ballots.set('former', { serverId: 'former', position: '', round: 3, beat: 9 })
  board.alive.add('voter')
  for (const serverId of ['never', 'former', 'voter']) acknowledgements.connect(serverId, true)
  await until(() => board.members.length > 0)
  await board.moreLooks()
  t.same(board.members, ['voter'])
  acknowledgements.report('never', at(9n))
  acknowledgements.report('former', at(9n))
  t.equal(acknowledgements.confirmed('durable', 1), 0n)
  acknowledgements.report('voter', at(8n))
  t.equal(acknowledgements.confirmed('durable', 1), 8n)
  board.alive.add('former')
  await until(() => board.members.includes('former'))
  t.equal(acknowledgements.confirmed('durable', 2), 8n, 'a member as soon as it takes part again')
})

void t.test('a member stays one without being looked for, and so does one that is away', async (t) => {
  const { acknowledgements, board } = await keep(t)
  board.alive.add('voter')
  acknowledgements.connect('voter', true)
  await until(() => board.members.includes('voter'))
  board.alive.clear()
  await board.moreLooks()
  t.same(board.members, ['voter'], 'members write no ballots while all is well')
  acknowledgements.disconnect('voter')
  await board.moreLooks()
  t.same(board.members, ['voter'])
})

void t.test('what asks for fewer replicas than an election counts on waits for as many', async (t) => {
  const { acknowledgements, board } = await keep(t, 2)
  for (const serverId of ['a', 'b']) {
    board.alive.add(serverId)
    acknowledgements.connect(serverId, true)
  }
  await until(() => board.members.length === 2)
  await board.moreLooks()
  acknowledgements.report('a', at(9n))
  t.equal(acknowledgements.confirmed('durable', 1), 0n, 'a alone would not be among those that are asked')
  t.equal(acknowledgements.confirmed('applied', 1), 0n)
  t.equal(acknowledgements.confirmed('received', 1), 9n, 'that much is not promised')
  acknowledgements.report('b', at(8n))
  t.equal(acknowledgements.confirmed('durable', 1), 8n)
  t.equal(acknowledgements.confirmed('applied', 2), 8n)
})

/** A record that this very primary wrote before it was started again. */
function found(board: Board, serverId: string, members: readonly string[], confirmations: number): void {
  const primary = { serverId, url: 'http://own' }
  board.record = { revision: 7, value: { epoch: 1, primary, members, confirmations } }
}

void t.test(
  'more confirmations are in the record when what fewer confirmed is with as many, and not before',
  async (t) => {
    const board = new Board()
    const { primary } = await openGated(t)
    const { serverId } = primary.state.identity
    found(board, serverId.toString('hex'), ['a', 'b'], 1)
    const { acknowledgements } = primary
    const { lsn } = primary.position
    const keeper = new MembersKeeper(primary, { problem: () => undefined }, board, {
      url: 'http://own',
      confirmations: 2,
    })
    t.teardown(() => keeper.stop())
    for (const [member, reached] of [
      ['a', lsn],
      ['b', lsn - 1n],
    ] as const) {
      acknowledgements.connect(member, true)
      acknowledgements.report(member, at(reached))
    }
    await board.moreLooks()
    t.equal(board.record?.value.confirmations, 1, 'a alone may have confirmed the last one, so an election asks both')
    t.equal(acknowledgements.confirmed('durable', 1), lsn - 1n, 'what is new waits for two')
    acknowledgements.report('b', at(lsn))
    await until(() => board.record?.value.confirmations === 2)
    t.equal(acknowledgements.confirmed('durable', 1), lsn)
  },
)

void t.test('fewer confirmations are enough when the record says so, and not before', async (t) => {
  const board = new Board()
  const { primary } = await openGated(t)
  found(board, primary.state.identity.serverId.toString('hex'), ['a', 'b'], 2)
  const { acknowledgements } = primary
  const write = board.putCluster.bind(board)
  let isRefused = true
  board.putCluster = async (value, previous) => (isRefused ? undefined : write(value, previous))
  const keeper = new MembersKeeper(primary, { problem: () => undefined }, board, {
    url: 'http://own',
    confirmations: 1,
  })
  t.teardown(() => keeper.stop())
  for (const member of ['a', 'b']) acknowledgements.connect(member, true)
  acknowledgements.report('a', at(9n))
  acknowledgements.report('b', at(8n))
  await board.moreLooks()
  t.equal(acknowledgements.confirmed('durable', 1), 8n, 'an election still asks one of the two only')
  isRefused = false
  await until(() => acknowledgements.confirmed('durable', 1) === 9n)
  t.equal(board.record?.value.confirmations, 1)
})

void t.test(
  'a member that comes back without taking part confirms no more, and leaves when others have what it had',
  async (t) => {
    const { acknowledgements, board } = await keep(t)
    for (const member of ['a', 'b']) {
      board.alive.add(member)
      acknowledgements.connect(member, true)
    }
    await until(() => board.members.length === 2)
    acknowledgements.report('a', at(5n))
    acknowledgements.report('b', at(3n))
    await until(() => acknowledgements.confirmed('durable', 1) === 5n)
    acknowledgements.disconnect('a')
    acknowledgements.connect('a', false)
    await until(() => acknowledgements.confirmed('durable', 1) === 3n)
    acknowledgements.report('a', at(9n))
    await board.moreLooks()
    t.equal(acknowledgements.confirmed('durable', 1), 3n)
    t.strictSame(board.members, ['a', 'b'], 'b has not all that a confirmed, so an election asks for both')
    acknowledgements.report('b', at(5n))
    await until(() => board.members.length === 1)
    t.strictSame(board.members, ['b'], 'what a has got since then was never confirmed by it')
    acknowledgements.disconnect('a')
    acknowledgements.connect('a', true)
    await until(() => board.members.includes('a'))
    await until(() => acknowledgements.confirmed('durable', 1) === 9n)
  },
)

void t.test(
  'what a member confirmed that is gone for so long that its link is forgotten is still waited for',
  async (t) => {
    const { acknowledgements, board } = await keep(t)
    for (const member of ['a', 'b']) {
      board.alive.add(member)
      acknowledgements.connect(member, true)
    }
    await until(() => board.members.length === 2)
    acknowledgements.report('a', at(50n))
    acknowledgements.report('b', at(30n))
    await board.moreLooks()
    acknowledgements.disconnect('a')
    acknowledgements.forget('a')
    await board.moreLooks()
    t.strictSame(board.members, ['a', 'b'])
    acknowledgements.report('b', at(50n))
    await until(() => board.members.length === 1)
  },
)
