/** Starts the page: asks the servers, and shows what they say every time that one has answered and every second. */
import type { ServerStatus } from '../../../log/status.js'
import type { Browser, Fetch } from './browser.js'
import { Dom, setShown, setText } from './dom.js'
import { LEVELS, type Level } from './health.js'
import { KeyedList } from './keyed-list.js'
import { LinkPanel } from './link-panel.js'
import { Mark } from './mark.js'
import { type LinkView, type ServerView, type Source, overviewOf } from './overview.js'
import { PageHead } from './page-head.js'
import { peersOf } from './peers.js'
import { type PollClock, Poller } from './poller.js'
import { Recorder } from './recorder.js'
import { ServerCard } from './server-card.js'
import { type TableRow, parseStatus, parseTables } from './status-parser.js'
import { TableList } from './table-list.js'

const STATUS_PERIOD_MS = 1_000
const TABLES_PERIOD_MS = 5_000
/** How long the primaries wait for the replicas' answers. */
const HEAD_START_MS_MAX = 200
const TABLES_URL = '/v1/catalogs/local/tables'

const CLOCK: PollClock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

startPage(globalThis as unknown as Browser)

function startPage(browser: Browser): void {
  const dom = new Dom(browser.document)
  const recorder = new Recorder()
  const head = new PageHead(dom)
  const servers = new KeyedList<ServerView>(dom.byId('servers'), () => new ServerCard(dom, recorder))
  const links = new KeyedList<LinkView>(dom.byId('links'), (key) => new LinkPanel(dom, recorder, key))
  const tables = new TableList(dom, dom.byId('tables'), dom.byId('table-rows'), dom.byId('tables-note'))
  const noLinks = dom.byId('no-links')
  const ownUrl = browser.location.origin
  const fetch: Fetch = (url, init) => browser.fetch(url, init)
  const peers = peersOf(browser.location.search, ownUrl)

  const pollers = [ownUrl, ...peers.urls].map((url) => {
    const poller = new Poller<ServerStatus>({
      fetch,
      clock: CLOCK,
      url: `${url}/v1/status`,
      periodMs: STATUS_PERIOD_MS,
      parse: parseStatus,
      onChange() {
        recorder.record(overviewOf(sources()), url, CLOCK.monotonicMs())
        show()
      },
    })
    return { url, poller }
  })
  const tablePoller = new Poller<readonly TableRow[]>({
    fetch,
    clock: CLOCK,
    url: TABLES_URL,
    periodMs: TABLES_PERIOD_MS,
    parse: parseTables,
    onChange: show,
  })

  function sources(): Source[] {
    return pollers.map(({ url, poller }) => ({ url, ...poller.state }))
  }

  function show(): void {
    const nowMs = CLOCK.monotonicMs()
    const all = sources()
    const overview = overviewOf(all)
    head.show(all[0]!, overview, CLOCK.wallMs())
    servers.show(overview.servers, nowMs)
    links.show(overview.links, nowMs)
    setShown(noLinks, overview.links.length === 0)
    tables.show(tablePoller.state, nowMs)
  }

  /** Replicas before primaries: asked the other way round, a busy replica would seem to be ahead of its primary. */
  async function ask(wanted: (poller: Poller<ServerStatus>) => boolean): Promise<void> {
    const asked = pollers.map(({ poller }) => poller).filter(wanted)
    const primaries = asked.filter(({ state }) => state.answer?.role === 'primary')
    const others = asked.filter((poller) => !primaries.includes(poller))
    const headStart = new Promise((resolve) => setTimeout(resolve, HEAD_START_MS_MAX))
    await Promise.race([Promise.all(others.map((poller) => poller.ask())), headStart])
    await Promise.all(primaries.map((poller) => poller.ask()))
    // An empty replica has no catalog to list yet.
    if (hasData(pollers[0]!.poller) && tablePoller.isDue()) await tablePoller.ask()
  }

  function askAll(): void {
    void ask(() => true)
  }

  showLegend(dom)
  const refusals = dom.byId('refusals')
  setText(refusals, peers.refusals.join(' '))
  setShown(refusals, peers.refusals.length > 0)
  browser.addEventListener('online', askAll)
  // A hidden page is given few timers; who comes back to it wants to see now.
  browser.document.addEventListener('visibilitychange', () => {
    if (browser.document.visibilityState === 'visible') askAll()
  })
  setInterval(() => {
    show()
    void ask((poller) => poller.isDue())
  }, STATUS_PERIOD_MS)
  askAll()
}

function hasData({ state }: Poller<ServerStatus>): boolean {
  return state.answer !== undefined && state.answer.lsn !== '0'
}

function showLegend(dom: Dom): void {
  const entries = Object.entries(LEVELS).map(([level, { word, meaning }]) => {
    const mark = new Mark(dom)
    mark.show(level as Level, word)
    return dom.html('div', {}, dom.html('dt', {}, mark.element), dom.html('dd', {}, meaning))
  })
  dom.byId('legend').replaceChildren(...entries)
}
