/**
 * Who stands for election, and who only votes. G2: nobody takes over who may lack what was confirmed, or whose rows may be
 * wrong; and who has told where it stands confirms nothing behind that.
 */
import t, { type Test } from 'tap'
import { type Epoch, type Lsn, type Position, formatPosition } from '../../core/position.js'
import type { Ballot, Cluster, Revised } from '../../log/nats/failover-board.js'
import { NO_ROUND } from '../../log/nats/failover-board.js'
import type { LeaseView } from '../../log/nats/lease.js'
import { Candidate, type Standing } from '../../tools/failover/candidate.js'
import { until } from '../replication/until.js'

const TTL_MS = 160
const OLD = 'http://old'
const OTHER = 'ff'.repeat(16)
const OWN = 'aa'.repeat(16)

type Replication = ReturnType<Standing['replication']>

const at = (epoch: number, lsn: bigint): Position => ({
  epoch: epoch as Epoch,
  lsn: lsn as Lsn,
  digest: Buffer.alloc(16),
})

class Scene {
  view: LeaseView = { holder: null, revision: 7 }
  position = at(1, 10n)
  record: Revised<Cluster>
  replication: Replication = { error: null, skipped: [], paused: null }
  /** Of this server, in the order of their writing. */
  readonly written: Ballot[] = []
  readonly follows: string[] = []
  /** What the other one has written; its beat goes on with each reading. */
  other: Pick<Ballot, 'position' | 'fit'> | undefined
  elected: Epoch | undefined
  #beat = 0
  #tell: (view: LeaseView) => void = () => undefined
  #changed: () => void = () => undefined

  constructor(t: Test, { epoch = 1, members = [OWN] } = {}) {
    this.record = { revision: 3, value: { epoch, primary: { serverId: 'cc', url: OLD }, members, confirmations: 1 } }
    const candidate = new Candidate(
      this.#replica(),
      {
        isConnected: true,
        onChange: (listener) => {
          this.#changed = () => {
            listener(true)
          }
          return () => undefined
        },
      },
      {
        watch: (listener) => {
          this.#tell = listener
          return () => undefined
        },
        acquire: async (holder, revision = 0) => ({ held: { holder, revision, sentMs: 0, sentUs: 0n, term: 't' } }),
        release: async () => undefined,
      },
      {
        cluster: async () => this.record,
        putCluster: async () => 4,
        ballot: async (serverId) =>
          this.other && { serverId, round: this.view.revision, beat: ++this.#beat, ...this.other },
        putBallot: async (ballot) => void this.written.push(ballot),
      },
      { ttlMs: TTL_MS, url: 'http://own', onStep: () => undefined },
    )
    t.teardown(() => {
      candidate.stop()
    })
    void candidate.elected().then((elected) => (this.elected = elected?.epoch))
  }

  /** What the lease is from now on. */
  lease(holder: string | null, revision: number): void {
    this.view = { holder, revision }
    this.#tell(this.view)
  }

  /** The connection to NATS was lost and is there again. */
  blip(): void {
    this.#changed()
  }

  /** Resolves when it has looked around some more times and written where it stands. */
  async moreBallots(): Promise<void> {
    const enough = this.written.length + 3
    await until(() => this.written.length >= enough)
  }

  #replica(): Standing {
    const position = (): Position => this.position
    return {
      state: {
        identity: { serverId: Buffer.from(OWN, 'hex'), clusterId: Buffer.alloc(16) },
        get durable() {
          return position()
        },
        filter: undefined,
      },
      get position() {
        return position()
      },
      from: OLD,
      replication: () => this.replication,
      follow: (url) => void this.follows.push(url),
      leave: async () => this.position,
      becomePrimary: async (above?: Epoch) => ((above ?? 0) + 1) as Epoch,
    }
  }
}

void t.test(
  'who has nothing of the epoch of the record votes, and does not stand: it may lag behind what an earlier term confirmed',
  async (t) => {
    const scene = new Scene(t, { epoch: 2 })
    scene.lease(null, 7)
    await scene.moreBallots()
    t.equal(scene.elected, undefined)
    t.match(scene.written.at(-1), { serverId: OWN, round: 7, position: formatPosition(scene.position) }, 'it votes')

    const caughtUp = new Scene(t, { epoch: 2 })
    caughtUp.position = at(2, 11n)
    caughtUp.lease(null, 7)
    await until(() => caughtUp.elected !== undefined)
    t.equal(caughtUp.elected, 3)
  },
)

void t.test('a replica that skipped a transaction, or has diverged, votes and does not stand', async (t) => {
  const skipped = [{ lsn: '5', position: '1.5.0', by: 'somebody', reason: 'it could not be applied', at: '' }]
  const faults: Partial<Replication>[] = [{ skipped }, { error: { code: 'DIVERGED', message: 'a marker says so' } }]
  for (const fault of faults) {
    const scene = new Scene(t)
    scene.replication = { ...scene.replication, ...fault }
    scene.lease(null, 7)
    await scene.moreBallots()
    t.equal(scene.elected, undefined)
    t.match(scene.written.at(-1), { round: 7, fit: false })
  }
})

void t.test('of equal logs the lower server id is taken, of those that may stand', async (t) => {
  const lower = '00'.repeat(16)
  const fitness: Record<string, boolean | undefined> = { 'an older version': undefined, fit: true }
  for (const [name, fit] of Object.entries(fitness)) {
    const waits = new Scene(t, { members: [OWN, lower] })
    waits.other = { position: formatPosition(waits.position), ...(fit === undefined ? {} : { fit }) }
    waits.lease(null, 7)
    await waits.moreBallots()
    t.equal(waits.elected, undefined, name)
  }
  const stands = new Scene(t, { members: [OWN, lower] })
  stands.other = { position: formatPosition(stands.position), fit: false }
  stands.lease(null, 7)
  await until(() => stands.elected !== undefined)
  t.equal(stands.elected, 2)
  const behind = new Scene(t, { members: [OWN, OTHER] })
  behind.other = { position: formatPosition(at(1, 11n)), fit: false }
  behind.lease(null, 7)
  await behind.moreBallots()
  t.equal(behind.elected, undefined, 'a longer log counts, whoever has it')
})

void t.test('who has voted follows its primary again only when the lease was renewed by that very one', async (t) => {
  const scene = new Scene(t, { members: [OWN, OTHER] })
  scene.lease(OLD, 7)
  await until(() => scene.written.some(({ round }) => round === 7))
  scene.follows.length = 0
  scene.blip()
  await scene.moreBallots()
  t.same(scene.follows, [], 'not while its ballot counts, although the connection is new')
  scene.lease('http://another', 8)
  await until(() => scene.written.some(({ round }) => round === 8))
  t.same(scene.follows, [], 'not while another one has the lease that is not named yet')
  scene.lease(OLD, 9)
  await until(() => scene.follows.length > 0)
  t.same(scene.follows, [OLD])
})

void t.test('a replica that is no member shows that it takes part in elections', async (t) => {
  const scene = new Scene(t, { members: [] })
  scene.lease(OLD, 7)
  await scene.moreBallots()
  t.same(new Set(scene.written.map(({ round }) => round)), new Set([NO_ROUND]), 'for no election')
  t.equal(new Set(scene.written.map(({ beat }) => beat)).size, scene.written.length, 'again and again')
})
