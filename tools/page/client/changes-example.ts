/**
 * Shows the changes of a catalog as they become durable. The browser's `EventSource` does the rest: when the connection
 * or the server is lost it comes back with the id of the last event, and the server goes on behind that.
 */
import type { PageDocument, PageElement } from './browser.js'
import { Dom, setShown, setText } from './dom.js'

interface ChangeMessage {
  readonly lsn: string
  readonly table?: string
  readonly statement?: string
  readonly before: object | null
  readonly after: object | null
}

/** An event of the stream; one of the browser's own, such as a lost connection, has no data. */
interface StreamEvent {
  readonly data?: string
}

interface EventStream {
  readonly readyState: number
  addEventListener(type: string, listener: (event: StreamEvent) => void): void
}

interface ExampleBrowser {
  readonly document: PageDocument
  readonly location: { readonly search: string }
  readonly EventSource: new (url: string) => EventStream
}

const CHANGE_TYPES = ['insert', 'update', 'delete', 'rewrite', 'definition']
const SHOWN_MAX = 100
/** The browser has given up: the server refused. */
const CLOSED = 2

followChanges(globalThis as unknown as ExampleBrowser)

function followChanges({ document, location, EventSource }: ExampleBrowser): void {
  const dom = new Dom(document)
  const [state, problem, list, count] = ['state', 'problem', 'changes', 'count'].map((id) => dom.byId(id))
  const asked = new URLSearchParams(location.search)
  const catalog = asked.get('catalog') ?? 'local'
  const tables = asked.get('tables')
  setText(dom.byId('source'), tables === null ? catalog : `${catalog}: ${tables}`)
  const query = new URLSearchParams(tables === null ? {} : { tables }).toString()
  const source = new EventSource(`/v1/catalogs/${encodeURIComponent(catalog)}/changes?${query}`)

  const shown: PageElement[] = []
  let total = 0
  for (const type of CHANGE_TYPES) {
    source.addEventListener(type, ({ data }) => {
      const { lsn, table, statement, before, after } = JSON.parse(data!) as ChangeMessage
      const cells = [
        lsn,
        statement ?? type,
        table ?? '',
        statement === undefined ? JSON.stringify(after ?? before) : '',
      ]
      shown.unshift(dom.html('tr', {}, ...cells.map((text) => dom.html('td', {}, text))))
      shown.splice(SHOWN_MAX)
      list!.replaceChildren(...shown)
      setText(count!, String(++total))
    })
  }
  source.addEventListener('open', () => {
    setText(state!, 'Live')
    setShown(problem!, false)
  })
  source.addEventListener('error', ({ data }) => {
    if (data !== undefined) {
      setText(problem!, (JSON.parse(data) as { readonly detail: string }).detail)
      setShown(problem!, true)
    } else setText(state!, source.readyState === CLOSED ? 'The server refused; load the page again' : 'Connecting …')
  })
}
