/** G4 a snapshot sees exactly one LSN: recent versions against a model that keeps every state there ever was. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { LSN_ZERO, type Lsn } from '../../core/position.js'
import { DeferredVersions } from '../../store/deferred-versions.js'
import { keyBytes, keyText, rowPrefix } from '../../store/keys.js'
import { RecentVersions, type Snapshot } from '../../store/versions.js'
import { WriteSet } from '../../store/write-set.js'

type State = ReadonlyMap<string, string>

const TEXTS = ['M', 'Mab', 'R1234', 'R1234a', 'R1234ab', 'R1234b', 'R1235', 'R1235\u00ff', 'I1234', 'I1234a']
const BOUNDS = [...TEXTS, '', 'R1234', 'R1235', 'R12', 'I', 'S', '~'].sort()

/** The store below (its state is that of the durable LSN), and what every LSN looked like. */
class Model {
  readonly states: State[] = [new Map()]
  readonly changes: { readonly lsn: number; readonly text: string }[] = []
  readonly open: Snapshot[] = []
  durable = 0

  get newest(): number {
    return this.states.length - 1
  }

  /** The write set that brings the newest state to a new one. */
  commit(operations: readonly (readonly [text: string, value: string | undefined])[]): [Lsn, WriteSet] {
    const state = new Map(this.states[this.newest])
    const writes = new WriteSet()
    for (const [text, value] of operations) {
      const before = state.get(text)
      const image = before === undefined ? undefined : Buffer.from(before)
      if (value === undefined) writes.delete(keyBytes(text), image)
      else writes.put(keyBytes(text), Buffer.from(value), image)
      if (value === undefined) state.delete(text)
      else state.set(text, value)
    }
    this.states.push(state)
    for (const text of new Set(operations.map(([text]) => text))) this.changes.push({ lsn: this.newest, text })
    return [BigInt(this.newest) as Lsn, writes]
  }

  changedSince(text: string, lsn: bigint): boolean {
    return this.changes.some((change) => change.text === text && BigInt(change.lsn) > lsn)
  }
}

function check(versions: RecentVersions, model: Model): void {
  const store = model.states[model.durable]!
  const valueOf = (known: { readonly value: Buffer | undefined } | undefined, text: string) =>
    known === undefined ? store.get(text) : known.value?.toString()
  for (const text of TEXTS) {
    assert.equal(valueOf(versions.newest(text), text), model.states[model.newest]!.get(text), 'newest')
  }
  for (const snapshot of model.open) {
    const state = model.states[Number(snapshot.lsn)]!
    for (const text of TEXTS) {
      assert.equal(valueOf(versions.at(text, snapshot), text), state.get(text), 'at the snapshot')
      assert.equal(versions.changedSince(text, snapshot), model.changedSince(text, snapshot.lsn), 'changed since')
    }
    for (const from of BOUNDS) {
      for (const to of ['R1234b', 'R1236', '~', from]) {
        const changed = TEXTS.filter(
          (text) => text >= from && text < to && model.changedSince(text, snapshot.lsn),
        ).sort()
        assert.equal(versions.rangeChangedSince({ from, to }, snapshot), changed.length > 0)
        assert.deepEqual(
          versions.changedIn({ from, to }, snapshot).map(([text, value]) => [text, value?.toString()]),
          changed.map((text) => [text, state.get(text)]),
        )
      }
    }
  }
}

const KEY = rowPrefix(1)
const TEXT = keyText(KEY)

function change(before: string | undefined, after: string | undefined, key = KEY): WriteSet {
  const writes = new WriteSet()
  const image = before === undefined ? undefined : Buffer.from(before)
  if (after === undefined) writes.delete(key, image)
  else writes.put(key, Buffer.from(after), image)
  return writes
}

function lsn(value: number): Lsn {
  return BigInt(value) as Lsn
}

for (const Versions of [RecentVersions, DeferredVersions]) {
  const { name } = Versions
  void t.test(`${name}: reads, overlay, conflicts and ranges agree with a model that forgets nothing`, async (t) => {
    const operation = fc.tuple(fc.constantFrom(...TEXTS), fc.option(fc.string({ maxLength: 3 }), { nil: undefined }))
    const command = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('commit' as const),
          operations: fc.array(operation, { maxLength: 5 }),
        }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('durable' as const), by: fc.nat(3) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('close' as const), which: fc.nat(10) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('check' as const) }) },
    )
    t.doesNotThrow(() => {
      fc.assert(
        fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
          const versions = new Versions()
          const model = new Model()
          const raise = (durable: number) => {
            model.durable = durable
            versions.prune(BigInt(durable) as Lsn)
          }
          for (const command of commands) {
            if (command.kind === 'commit') versions.record(...model.commit(command.operations))
            else if (command.kind === 'durable') raise(Math.min(model.newest, model.durable + command.by))
            else if (command.kind === 'open') model.open.push(versions.open(BigInt(model.durable) as Lsn))
            else if (command.kind === 'check') check(versions, model)
            else if (model.open.length > 0) versions.close(model.open.splice(command.which % model.open.length, 1)[0]!)
          }
          check(versions, model)
          for (const snapshot of model.open.splice(0)) versions.close(snapshot)
          raise(model.newest)
          assert.deepEqual([versions.keys, versions.bytes, versions.openSnapshots], [0, 0, 0], 'nothing stays behind')
        }),
        { numRuns: 80 },
      )
    })
  })

  void t.test(`${name}: G2 what is not durable is never forgotten, with or without a snapshot`, async (t) => {
    const versions = new Versions()
    versions.record(lsn(1), change(undefined, 'a'))
    versions.record(lsn(2), change('a', 'b'))
    versions.prune(lsn(1))
    t.equal(versions.newest(TEXT)?.value?.toString(), 'b')
    const snapshot = versions.open(lsn(1))
    t.equal(versions.at(TEXT, snapshot)?.value?.toString(), 'a')
    versions.prune(lsn(2))
    t.equal(versions.at(TEXT, snapshot)?.value?.toString(), 'a')
    versions.close(snapshot)
    versions.prune(lsn(2))
    t.equal(versions.newest(TEXT), undefined)
  })

  void t.test(`${name}: a hot key with thousands of changes reads right at every open snapshot`, async (t) => {
    const versions = new Versions()
    const snapshots: Snapshot[] = []
    const changes = 3000
    for (let at = 1; at <= changes; at++) {
      versions.record(lsn(at), change(String(at - 1), String(at)))
      if (at % 7 === 0) {
        versions.prune(lsn(at))
        snapshots.push(versions.open(lsn(at)))
      }
    }
    const wrong = () =>
      snapshots.filter((snapshot) => versions.at(TEXT, snapshot)?.value?.toString() !== String(snapshot.lsn))
    t.same(wrong(), [])
    // Forgetting from the old end leaves the rest as it was.
    while (snapshots.length > 2) {
      for (const snapshot of snapshots.splice(0, 60)) versions.close(snapshot)
      versions.prune(lsn(changes - 1))
      t.same(wrong(), [])
    }
  })

  void t.test(`${name}: beyond its bound the oldest snapshots are given up, and refuse everything`, async (t) => {
    const versions = new Versions({ bytesMax: 20_000 })
    const image = 'x'.repeat(1000)
    const old = versions.open(LSN_ZERO)
    versions.record(lsn(1), change(undefined, image))
    versions.prune(lsn(1))
    const young = versions.open(lsn(1))
    for (let at = 2; at <= 12; at++) {
      versions.record(lsn(at), change(image, image))
      versions.prune(lsn(at))
    }
    t.same([old.tooOld, young.tooOld], [false, false])
    for (let at = 13; !old.tooOld; at++) {
      versions.record(lsn(at), change(image, image))
      versions.prune(lsn(at))
      t.ok(at < 30, 'the bound takes effect')
    }
    t.ok(versions.bytes <= 20_000)
    t.equal(versions.snapshotsGivenUp >= 1, true)
    const refused = { code: 'SNAPSHOT_TOO_OLD' }
    t.throws(() => versions.at(TEXT, old), refused)
    t.throws(() => versions.at('other', old), refused)
    t.throws(() => versions.changedSince('other', old), refused)
    t.throws(() => versions.rangeChangedSince({ from: 'R', to: 'S' }, old), refused)
    t.throws(() => versions.changedIn({ from: 'R', to: 'S' }, old), refused)
    versions.close(old)
    versions.close(young)
  })

  void t.test(
    `${name}: changes without their sync are kept beyond the bound: memory is not bought with truth`,
    async (t) => {
      const versions = new Versions({ bytesMax: 1000 })
      const snapshot = versions.open(LSN_ZERO)
      for (let at = 1; at <= 10; at++) versions.record(lsn(at), change(undefined, 'y'.repeat(1000), rowPrefix(at)))
      t.equal(snapshot.tooOld, false, 'giving it up would free nothing')
      t.equal(versions.keys, 10)
      versions.prune(lsn(10))
      versions.record(lsn(11), change(undefined, 'z', rowPrefix(99)))
      t.equal(snapshot.tooOld, true)
      t.equal(versions.keys, 1)
    },
  )

  void t.test(`${name}: lists of keys that were forgotten do not grow for ever`, async (t) => {
    const versions = new Versions()
    const key = (at: number) => Buffer.concat([rowPrefix(at % 3), Buffer.from(String(at))])
    const all = { from: 'A', to: 'Z' }
    for (let at = 1; at <= 40_000; at++) {
      versions.record(lsn(at), change(undefined, 'v', key(at)))
      if (at % 100 === 0) {
        const snapshot = versions.open(lsn(at - 100))
        if (at > 20_000) t.equal(versions.changedIn(all, snapshot).length, 100)
        versions.close(snapshot)
        versions.prune(lsn(at))
      }
    }
    t.same([versions.keys, versions.bytes], [0, 0])
  })

  void t.test(`${name}: misuse is our bug`, async (t) => {
    const versions = new Versions()
    const bug = { name: 'AssertionError' }
    versions.record(lsn(5), change(undefined, 'a'))
    t.throws(() => versions.record(lsn(5), change('a', 'b')), bug, 'LSNs ascend')
    versions.prune(lsn(5))
    t.throws(() => versions.prune(lsn(4)), bug, 'what was durable stays durable')
    t.throws(() => versions.open(lsn(4)), bug, 'a snapshot before the durable LSN cannot be served')
    const snapshot = versions.open(lsn(5))
    versions.close(snapshot)
    t.throws(() => versions.close(snapshot), bug)
    t.throws(() => versions.at(TEXT, snapshot), bug)
  })
}
