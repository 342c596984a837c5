/** What a repair cannot prove it leaves as it is: rows, frames, keys that seem to be nobody's, and the store's right to be served. */
import t, { type Test } from 'tap'
import { ReplogError } from '../../core/errors.js'
import { TableStats } from '../../log/table-stats.js'
import { assertNoRepair } from '../../log/verify/repair-note.js'
import type { RepairPeer } from '../../log/verify/repair-peer.js'
import { type RepairReport, repairStore } from '../../log/verify/repair.js'
import { Primary } from '../../primary/primary.js'
import type { Engine, Entry } from '../../store/engine.js'
import {
  DICTIONARY_PREFIX,
  INDEX_PREFIX,
  LOG_PREFIX,
  ROW_PREFIX,
  STATS_PREFIX,
  tableKindPrefix,
} from '../../store/keys.js'
import { ITEMS } from '../replication/tables.js'
import { change, differences, engineOf, entriesOf, peerOf, storeOn } from './in-memory.js'

interface Served {
  readonly primary: Primary
  readonly engine: Engine
}

async function open(t: Test, image: readonly Entry[]): Promise<Served> {
  const engine = await engineOf(image)
  const primary = await Primary.open({ path: 'p', engine, verifyIntervalMs: 0 })
  t.teardown(() => primary.close())
  return { primary, engine }
}

async function insert({ primary }: Served, code: string): Promise<void> {
  await primary.catalog().execute([{ insert: { table: 'items', rows: [{ group: 1, code }] } }])
}

async function filled(t: Test): Promise<Served> {
  const served = await open(t, [])
  await served.primary.catalog().transaction((tx) => tx.createTable(ITEMS))
  for (let turn = 0; turn < 6; turn++) await insert(served, `code ${turn}`)
  return served
}

function repair(engine: Engine, peer: RepairPeer): Promise<RepairReport> {
  return repairStore(storeOn(engine), peer, { dryRun: false, onStep: () => undefined })
}

function turned(value: Buffer, at: number): Buffer {
  const flipped = Buffer.from(value)
  flipped.writeUInt8(flipped.readUInt8(at) ^ 4, at)
  return flipped
}

function ofKind(image: readonly Entry[], prefix: number): Entry[] {
  return image.filter(({ key }) => key[0] === prefix)
}

/** As a replica answers that was told to skip the transaction of one row. */
function lacking(peer: RepairPeer, missing: Buffer): RepairPeer {
  return {
    ...peer,
    async rows(...asked) {
      const page = await peer.rows(...asked)
      const statistics = TableStats.decode(page.statistics)
      const gone = page.rows.find(({ key }) => key.equals(missing))
      if (gone !== undefined) statistics.count(gone.key, gone.payload, -1)
      return { ...page, rows: page.rows.filter((row) => row !== gone), statistics: statistics.encode() }
    },
  }
}

void t.test('G8: a peer whose rows are others does not outvote the count that the log made here', async (t) => {
  const served = await filled(t)
  const image = await entriesOf(served.engine)
  const rows = ofKind(image, ROW_PREFIX)
  for (const where of ['at the same LSN', 'ahead']) {
    if (where === 'ahead') await insert(served, 'later')
    const engine = await engineOf(image)
    await change(engine, [[rows[0]!.key, turned(rows[0]!.value, 8)]])
    const before = await entriesOf(engine)
    const report = await repair(engine, lacking(peerOf(served.primary.state), rows[3]!.key))
    t.match(report.refused, [/which nothing confirms: the log here counts 6 /], where)
    t.equal(report.leftCount > 0, true, 'it is not called sound')
    t.same(differences(before, await entriesOf(engine)), [], `nothing was changed by a peer ${where}`)
  }
})

void t.test('G8: a count that cannot be read is not replaced by that of rows that come to another sum', async (t) => {
  const served = await filled(t)
  const image = await entriesOf(served.engine)
  const statistics = ofKind(image, STATS_PREFIX)[0]!
  const engine = await engineOf(image)
  await change(engine, [[statistics.key, turned(statistics.value, 3)]])
  const before = await entriesOf(engine)
  const peer = peerOf(served.primary.state)
  const contradicting: RepairPeer = {
    ...peer,
    rows: async (...asked) => ({ ...(await peer.rows(...asked)), statistics: new TableStats().encode() }),
  }
  t.match((await repair(engine, contradicting)).refused, [/which nothing confirms; verify that server/])
  t.same(differences(before, await entriesOf(engine)), [])
  t.equal((await repair(engine, peer)).leftCount, 0)
  t.same(differences(image, await entriesOf(engine)), [], 'a peer at the same LSN whose rows add up confirms it')
})

void t.test('G8: rows that are others when they are read again are not served', async (t) => {
  const served = await filled(t)
  const image = await entriesOf(served.engine)
  const rows = ofKind(image, ROW_PREFIX)
  const engine = await engineOf(image)
  await change(engine, [[rows[0]!.key, turned(rows[0]!.value, 8)]])
  const sound = peerOf(served.primary.state)
  let asked = 0
  const changing: RepairPeer = {
    ...sound,
    rows: (...page) => (asked++ === 0 ? sound : lacking(sound, rows[3]!.key)).rows(...page),
  }
  await t.rejects(repair(engine, changing), { code: 'CORRUPT', message: /were others when they were read again/ })
  t.throws(() => {
    assertNoRepair(storeOn(engine), 'DIR')
  }, /a repair of DIR was interrupted/)
  t.equal((await repair(engine, sound)).leftCount, 0)
  t.same(differences(image, await entriesOf(engine)), [])
})

void t.test(
  "G8: rows whose definition is lost are not deleted as nobody's, nor is a definition under a damaged key",
  async (t) => {
    const served = await filled(t)
    const image = await entriesOf(served.engine)
    const kind = tableKindPrefix()
    const definition = image.find(({ key }) => key.subarray(0, kind.length).equals(kind))!
    t.equal(definition.key[0], DICTIONARY_PREFIX)
    const astray = Buffer.from(definition.key)
    astray[0] = 0x01
    for (const values of [[], [[astray, definition.value] as const]]) {
      const engine = await engineOf(image)
      await change(engine, [[definition.key, undefined], ...values])
      const before = await entriesOf(engine)
      const report = await repair(engine, peerOf(served.primary.state))
      t.match(report.refused.at(-1), /were not deleted, since the dictionary is damaged/)
      t.not(report.leftCount, 0)
      const after = await entriesOf(engine)
      for (const prefix of [ROW_PREFIX, INDEX_PREFIX, DICTIONARY_PREFIX, 0x01]) {
        t.same(differences(ofKind(before, prefix), ofKind(after, prefix)), [], `keys of kind ${prefix} are all there`)
      }
    }
  },
)

void t.test('G8: rows of no table go while the dictionary is sound', async (t) => {
  const served = await filled(t)
  const image = await entriesOf(served.engine)
  const engine = await engineOf(image)
  const row = ofKind(image, ROW_PREFIX)[0]!
  const astray = Buffer.from(row.key)
  astray.writeUInt32BE(4711, 1)
  await change(engine, [[astray, row.value]])
  t.match(await repair(engine, peerOf(served.primary.state)), { refused: [], leftCount: 0 })
  t.same(differences(image, await entriesOf(engine)), [])
})

void t.test('G7: the newest frame is not taken from a history that parted at it', async (t) => {
  const image = await entriesOf((await filled(t)).engine)
  const own = await open(t, image)
  const other = await open(t, image)
  await insert(own, 'own')
  await insert(other, 'other')
  const whole = await entriesOf(own.engine)
  const newest = ofKind(whole, LOG_PREFIX).at(-1)!
  const damages = [turned(newest.value, newest.value.length - 1), turned(newest.value, 30), undefined]
  for (const value of damages) {
    const engine = await engineOf(whole)
    await change(engine, [[newest.key, value]])
    const before = await entriesOf(engine)
    const what = value === undefined ? 'is lost altogether: nothing is left' : 'is damaged, and what is left'
    await t.rejects(repair(engine, peerOf(other.primary.state)), {
      code: 'DIVERGED',
      message: new RegExp(
        `the newest of this log, ${what}.*histories may differ.*\`replog clone --from \\S+ --data DIR\``,
      ),
    })
    t.same(differences(before, await entriesOf(engine)), [], 'nothing of it stays, and no note')
    if (value === undefined) continue
    t.equal((await repair(engine, peerOf(own.primary.state))).leftCount, 0)
    t.same(differences(whole, await entriesOf(engine)), [], 'the peer of this history mends it')
  }
})

void t.test('G7: frames in the middle are taken only when what stands behind them continues them', async (t) => {
  const image = await entriesOf((await filled(t)).engine)
  const own = await open(t, image)
  const other = await open(t, image)
  for (const code of ['one', 'two', 'three']) {
    await insert(own, `own ${code}`)
    await insert(other, `other ${code}`)
  }
  const whole = await entriesOf(own.engine)
  const frame = ofKind(whole, LOG_PREFIX).at(-3)!
  const engine = await engineOf(whole)
  await change(engine, [[frame.key, undefined]])
  const before = await entriesOf(engine)
  await t.rejects(repair(engine, peerOf(other.primary.state)), {
    code: 'DIVERGED',
    message: /do not fit into this log/,
  })
  t.same(differences(before, await entriesOf(engine)), [], 'nothing of it stays')
})

void t.test('G8: a repair that can do nothing leaves a store that is served as before', async (t) => {
  const served = await filled(t)
  const image = await entriesOf(served.engine)
  const [first, , , later] = ofKind(image, LOG_PREFIX)
  const engine = await engineOf(image)
  for (const { key, value } of [first!, later!]) await change(engine, [[key, turned(value, value.length - 1)]])
  const before = await entriesOf(engine)
  const peer = peerOf(served.primary.state)
  const without: RepairPeer = {
    ...peer,
    frames(after) {
      // It has the one frame and not the other.
      if (after > 0n) throw new ReplogError('HISTORY_LOST', 'purged there')
      return peer.frames(after)
    },
  }
  await t.rejects(repair(engine, without), { code: 'HISTORY_LOST' })
  t.same(differences(before, await entriesOf(engine)), [])
  assertNoRepair(storeOn(engine), 'DIR')
})
