/**
 * The keeper of the lease: writes are taken only when the record was read behind the taking of the lease and names this
 * server; so of two primaries one never writes.
 */
import t from 'tap'
import type { Cluster, Revised } from '../../log/nats/failover-board.js'
import type { Held } from '../../log/nats/lease.js'
import { type LeaseHandle, LeaseKeeper } from '../../tools/failover/lease-keeper.js'
import { until } from '../replication/until.js'

const OWN = { serverId: 'own', url: 'http://own' }

class Scene {
  record: Revised<Cluster> | undefined
  isFree = true
  isHeld = false
  releases = 0
  /** Called when the lease is taken. */
  onTaken: () => void = () => undefined
  isFenced = false
  readonly held: Held = { holder: OWN.url, revision: 1, sentMs: 0, sentUs: 0n, term: 't' }
  readonly lease: LeaseHandle = {
    acquire: async (holder) => {
      if (!this.isFree) return { holder, waitMs: 1 }
      this.isHeld = true
      this.onTaken()
      return { held: this.held }
    },
    renew: async (held) => held,
    release: async () => {
      this.isHeld = false
      this.releases++
    },
    isHeld: () => this.isHeld,
  }

  keeper(epoch = 1): LeaseKeeper {
    const options = { ttlMs: 40, ...OWN, epoch: () => epoch, isFenced: () => this.isFenced }
    return new LeaseKeeper(this.lease, { cluster: async () => this.record }, options)
  }

  name(serverId: string, epoch: number): void {
    const primary = { serverId, url: `http://${serverId}` }
    this.record = { revision: 1, value: { epoch, primary, members: [], confirmations: 1 } }
  }
}

void t.test('the first primary takes the lease, loses it, takes it again, gives it up', async (t) => {
  const scene = new Scene()
  const keeper = scene.keeper()
  t.match(keeper.problem(), /does not hold the lease/)
  keeper.start()
  await until(() => keeper.problem() === undefined)
  scene.isFree = false
  scene.isHeld = false
  t.match(keeper.problem(), /does not hold the lease/, 'at once, whatever the keeper does')
  scene.isFree = true
  await until(() => keeper.problem() === undefined)
  await keeper.release()
  t.equal(scene.releases, 1)
  t.match(keeper.problem(), /does not hold the lease/)
})

void t.test('a server that the record does not name never writes, also when it is named late', async (t) => {
  const scene = new Scene()
  scene.name('other', 2)
  const keeper = scene.keeper()
  keeper.start()
  t.match(await keeper.superseded, { primary: { serverId: 'other' } })
  t.equal(scene.isHeld, false, 'it did not ask for the lease')

  const late = new Scene()
  late.onTaken = () => {
    late.name('other', 2)
  }
  const second = late.keeper()
  let wrote = false
  late.lease.release = async () => {
    wrote ||= second.problem() === undefined
    late.isHeld = false
  }
  second.start()
  t.match(await second.superseded, { primary: { serverId: 'other' } })
  await until(() => !late.isHeld)
  t.equal(wrote, false)
  t.match(second.problem(), /does not hold the lease/)
})

void t.test('a record of an older epoch is of a witness that lost its memory', async (t) => {
  const scene = new Scene()
  scene.name('older', 1)
  const keeper = scene.keeper(2)
  keeper.start()
  await until(() => keeper.problem() === undefined)
  scene.isFenced = true
  await until(() => !scene.isHeld)
  t.match(keeper.problem(), /does not hold the lease/, 'who is fenced leaves it to others')
  scene.name('newer', 3)
  t.match(await keeper.superseded, { epoch: 3 })
})
