/**
 * The example of a page that follows a table: the changes of its own server, live, by `EventSource` and nothing else.
 *
 *   /examples/changes?tables=test.orders&catalog=local
 */
import { readFileSync } from 'node:fs'
import { type PageDocument, pageDocument } from './document.js'
import { linkModules } from './link-modules.js'
import { BASE_STYLE } from './style/base.js'

const HEAD = /* HTML */ `
  <meta charset="utf-8" />
  <meta name="viewport" content="width=device-width, initial-scale=1" />
  <meta name="color-scheme" content="light dark" />
  <title>replog changes</title>
  <link rel="icon" href="data:," />
`

const BODY = /* HTML */ `
  <header class="page-head">
    <h1>Changes</h1>
    <span id="source" class="cluster"></span>
    <p class="banner" data-level="good"><span id="state" role="status">Connecting …</span></p>
  </header>
  <main>
    <noscript><p class="reason">This page shows changes as they come and needs JavaScript for that.</p></noscript>
    <p id="problem" class="reason" hidden></p>
    <table>
      <thead>
        <tr>
          <th scope="col">LSN</th>
          <th scope="col">Change</th>
          <th scope="col">Table</th>
          <th scope="col">Row</th>
        </tr>
      </thead>
      <tbody id="changes"></tbody>
    </table>
    <p class="note">The newest come first. <span id="count">0</span> came since the page was opened.</p>
  </main>
`

const STYLE = `
  table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
  th, td { text-align: start; padding: 0.2rem 0.8rem 0.2rem 0; vertical-align: top; overflow-wrap: anywhere; }
  td:last-child { font-family: ui-monospace, monospace; }
`

/** Reads the compiled modules of the page beside this file; call it once and keep the result. */
export function changesPage(): PageDocument {
  const read = (file: string): string => readFileSync(new URL(`client/${file}`, import.meta.url), 'utf8')
  const script = linkModules('changes-example.js', read)
  return pageDocument({ head: HEAD, body: BODY, style: BASE_STYLE + STYLE, script, connect: "'self'" })
}
