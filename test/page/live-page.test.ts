/** The status page in a browser, on real servers under load: what it shows moves, and it outlives its server. */
import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { until } from '../replication/until.js'
import { openChromium, visit } from './chromium.js'
import { HOSTILE_NAME, startPair } from './live-pair.js'

/** What a browser says of a server that is gone or going. */
const NETWORK_ERROR = /^Failed to load resource: (net::ERR_|the server responded with a status of 503)/

/** The text of the element once it satisfies the condition. */
async function textOnce(locator: Locator, holds: (text: string) => boolean): Promise<string> {
  let text = ''
  await until(async () => {
    text = (await locator.count()) === 1 ? ((await locator.textContent()) ?? '') : ''
    return text !== '' && holds(text)
  }).catch((cause: unknown) => {
    throw new Error(`${String(locator)} is "${text}", which is not ${holds.toString()}`, { cause })
  })
  return text
}

/** The number at the beginning of a figure; NaN when it is unknown. */
function numberOf(text: string): number {
  return Number.parseFloat(text.replaceAll(',', ''))
}

function figure(page: Page, role: 'primary' | 'replica', name: string): Locator {
  return page.locator(`.server[data-role=${role}] [data-figure=${name}]`)
}

/** Waits until the figure is a number and then until it has grown. */
async function grows(locator: Locator): Promise<void> {
  const first = numberOf(await textOnce(locator, (text) => !Number.isNaN(numberOf(text))))
  await textOnce(locator, (text) => numberOf(text) > first)
}

function chartLine(page: Page, panel: string): Locator {
  return page.locator(`${panel} .chart-line.line-0`)
}

async function pathOf(locator: Locator): Promise<string> {
  return (await locator.getAttribute('d')) ?? ''
}

t.test('the status page on a pair under load', async (t) => {
  const browser = await openChromium(t)
  if (browser === undefined) return
  const { primaryServer, replicaServer } = await startPair(t)
  const both = await visit(browser, `${primaryServer.url}/?peer=${replicaServer.url}`)
  const alone = await visit(browser, `${primaryServer.url}/?peer=nonsense`)
  const replica = await visit(browser, replicaServer.url)
  const visits = [both, alone, replica]
  // The tables are asked for less often than the rest: the wait for two answers begins now.
  const tablesMove = grows(both.page.locator('#table-rows [data-figure=rows]'))

  await t.test('LSN, throughput and transactions per sync of both servers are shown and move', async (t) => {
    const { page } = both
    const moves = async (role: 'primary' | 'replica'): Promise<void> => {
      await grows(figure(page, role, 'lsn'))
      const rate = await textOnce(figure(page, role, 'throughput'), (text) => numberOf(text) > 0)
      t.match(rate, /^[\d.,]+ \/s$/)
      await textOnce(figure(page, role, 'throughput'), (text) => numberOf(text) > 0 && text !== rate)
      t.match(await textOnce(figure(page, role, 'grouping'), (text) => numberOf(text) > 0), /^[\d.,]+$/)
    }
    await Promise.all([moves('primary'), moves('replica')])
    t.match(await page.locator('.server[data-role=primary] .facts').textContent(), /Writes.*taken/)
    const line = await pathOf(chartLine(page, '.server[data-role=primary]'))
    t.match(line, /^M[\d.]+,[\d.]+L/)
    await until(async () => (await pathOf(chartLine(page, '.server[data-role=primary]'))) !== line)
  })

  await t.test(
    'three stages in three units, the delay and the lag chart of the replica are shown and move',
    async (t) => {
      const { page } = both
      for (const stage of ['received', 'durable', 'applied']) {
        await grows(page.locator(`[data-figure=${stage}-lsn]`))
        t.match(await page.locator(`[data-figure=${stage}-transactions]`).textContent(), /^[\d,]+$/)
        t.match(await page.locator(`[data-figure=${stage}-bytes]`).textContent(), /^[\d.,]+ (B|KiB|MiB)$/)
        t.match(await page.locator(`[data-figure=${stage}-seconds]`).textContent(), /^[\d.]+ m?s$/)
      }
      t.match(await page.locator('.delays').textContent(), /p50\)[\d.]+ m?s.*p99\)[\d.]+ m?s.*longest[\d.]+ m?s/)
      t.match(await pathOf(chartLine(page, '.link')), /^M[\d.]+,[\d.]+L/)
      const top = page.locator('.link .chart-values span').first()
      t.match(await top.textContent(), /s$/)
      await page.locator('.link label', { hasText: 'Bytes' }).click()
      t.match(await top.textContent(), /B$/)
    },
  )

  await t.test('a page without peers shows the replica as its primary knows it', async (t) => {
    await grows(figure(alone.page, 'replica', 'lsn'))
    await textOnce(figure(alone.page, 'replica', 'throughput'), (text) => numberOf(text) > 0)
    t.match(await alone.page.locator('#refusals').textContent(), /^The peer "nonsense" is not an address/)
    t.match(await alone.page.locator('.server[data-role=replica] .note').textContent(), /^As primary .* knows it\./)
  })

  await t.test("a replica's own page shows its replication and its primary", async (t) => {
    const { page } = replica
    const figures = [
      figure(page, 'replica', 'lsn'),
      figure(page, 'primary', 'lsn'),
      page.locator('[data-figure=applied-lsn]'),
    ]
    await Promise.all(figures.map(grows))
    t.match(await page.locator('.link .mark').textContent(), /streaming|catching up/)
  })

  await t.test('the tables are listed with their rows', async () => {
    await tablesMove
  })

  await t.test('a name that is markup is shown as text and does not run', async (t) => {
    const { page } = both
    t.equal(await page.locator('.server[data-role=primary] .name').textContent(), `primary ${HOSTILE_NAME}`)
    t.equal(await page.locator('.server[data-role=replica] .name').textContent(), `replica ${HOSTILE_NAME}`)
    t.equal(await page.locator('#table-rows .name').textContent(), `test.${HOSTILE_NAME}`)
    t.equal(await page.locator('img').count(), 0)
    t.equal(await page.locator('script').count(), 1)
    t.equal(await page.evaluate('typeof hacked'), 'undefined')
  })

  await t.test('nothing was complained of: no error, no warning, no violation of the policy', async (t) => {
    for (const { complaints } of visits) t.same(complaints, [])
  })

  await t.test('a server that is gone is shown as unreachable since when, and the last figures as such', async (t) => {
    await primaryServer.stop()
    for (const { page } of [both, alone]) {
      const text = await textOnce(page.locator('#connection'), (text) => text.includes('no connection'))
      t.match(text, /: unreachable since \d\d:\d\d:\d\d \(no connection\)\.$/)
      t.match(
        await textOnce(page.locator('#countdown'), (text) => text !== ''),
        /(next attempt in \d+ s|trying now)\.$/,
      )
      t.match(await page.locator('.server[data-role=primary] .card-head .mark').textContent(), /■unreachable/)
      t.match(await page.locator('.server[data-role=primary] .note').textContent(), /^Last known figures, from \d\d:/)
      t.match(await page.title(), /^■/)
    }
    await textOnce(replica.page.locator('.link .mark'), (text) => text === '▲connecting')
    await textOnce(replica.page.locator('.link .reason'), (text) => text.startsWith('UNREACHABLE: '))
  })

  await t.test('the page finds its server again by itself', async (t) => {
    await primaryServer.start()
    for (const { page } of [both, alone]) {
      await textOnce(page.locator('#connection'), (text) => text === 'Live, every second')
      await grows(figure(page, 'primary', 'lsn'))
    }
    await textOnce(both.page.locator('.link .mark'), (text) => text === '●streaming')
    t.match(await both.page.title(), /^[●▲■] primary .* · LSN [\d,]+ · replog$/)
    for (const { complaints } of visits)
      t.same(
        complaints.filter((text) => !NETWORK_ERROR.test(text)),
        [],
      )
  })
})
