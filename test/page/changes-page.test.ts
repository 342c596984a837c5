/** The example of a page that follows changes, in a browser: each comes once, also over the death of the server. */
import t from 'tap'
import { MemoryEngine } from '../../store/memory-engine.js'
import { changesPage } from '../../tools/page/changes-page.js'
import { type Serving, TABLE_T, serve } from '../http/serving.js'
import { openChromium, visit } from './chromium.js'

/** What a browser says of a server that is gone. */
const NETWORK_ERROR = /^Failed to load resource: net::ERR_/
const HOSTILE_TEXT = '<img src=x onerror=hacked=1>'

async function insert(server: Serving, a: number): Promise<void> {
  const rows = [{ a, b: 'x', d: `${HOSTILE_TEXT}${a}` }]
  t.equal((await server.post({ statements: [{ insert: { table: 't', rows } }] })).status, 200)
}

t.test('the example page', async (t) => {
  const browser = await openChromium(t)
  if (browser === undefined) return
  let engine = new MemoryEngine()
  const page = changesPage()
  let server = await serve({ engine, changesPage: page })
  t.teardown(() => server.close())
  await server.post({
    statements: [{ createTable: { table: TABLE_T } }, { createTable: { table: { ...TABLE_T, name: 'u' } } }],
  })
  const { page: shown, complaints } = await visit(browser, `${server.url}/examples/changes?tables=t`)
  await shown.locator('#state', { hasText: 'Live' }).waitFor()
  await server.post({ statements: [{ insert: { table: 'u', rows: [{ a: 99, b: 'x' }] } }] })
  for (const a of [1, 2]) await insert(server, a)
  await shown.locator('#count', { hasText: /^2$/ }).waitFor()
  const rows = shown.locator('#changes tr')
  t.same(await rows.locator('td:nth-child(2)').allTextContents(), ['insert', 'insert'])
  t.match(await rows.first().textContent(), HOSTILE_TEXT)
  t.equal(await shown.locator('img').count(), 0, 'what is in a row is text')

  server.app.server.closeAllConnections()
  const disk = engine.crash()
  const port = Number(new URL(server.url).port)
  await server.close()
  engine = disk
  server = await serve({ engine, port, changesPage: page })
  // Before the browser is back, and after that.
  for (const a of [3, 4, 5]) await insert(server, a)
  await shown.locator('#count', { hasText: /^5$/ }).waitFor()
  const texts = await rows.locator('td:last-child').allTextContents()
  t.same(
    texts.map((text) => (JSON.parse(text) as { a: number }).a),
    [5, 4, 3, 2, 1],
    'each once, in order',
  )
  t.same(
    complaints.filter((text) => !NETWORK_ERROR.test(text)),
    [],
  )
})
