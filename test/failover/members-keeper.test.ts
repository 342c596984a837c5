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

async function keep(t: Test, confirmations = 1) {
  const { primary } = await openGated(t)
  const board = new Board()
  const keeper = new MembersKeeper(primary, { problem: () => undefined }, board, { url: 'http://own', confirmations })
  t.teardown(() => keeper.stop())
  return { acknowledgements: primary.acknowledgements, board }
}

void t.test('who writes no ballots is no member and confirms nothing, also when it wrote one long ago', async (t) => {
  const { acknowledgements, board } = await keep(t)
  board.ballots.set('former', { serverId: 'former', position: '', round: 3, beat: 9 })
  board.alive.add('voter')
  for (const serverId of ['never', 'former', 'voter']) acknowledgements.connect(serverId)
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
  acknowledgements.connect('voter')
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
    acknowledgements.connect(serverId)
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
