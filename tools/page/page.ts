/** The status page, which asks its own server and servers on this machine. */
import { readFileSync } from 'node:fs'
import { type PageDocument, pageDocument } from './document.js'
import { linkModules } from './link-modules.js'
import { BODY, HEAD } from './markup.js'
import { BASE_STYLE } from './style/base.js'
import { CHARTS_STYLE } from './style/charts.js'
import { PANELS_STYLE } from './style/panels.js'

/** Reads the compiled modules of the page beside this file; call it once and keep the result. */
export function statusPage(): PageDocument {
  const script = linkModules('main.js', (file) => readFileSync(new URL(`client/${file}`, import.meta.url), 'utf8'))
  const style = BASE_STYLE + PANELS_STYLE + CHARTS_STYLE
  return pageDocument({
    head: HEAD,
    body: BODY,
    style,
    script,
    connect: "'self' http://127.0.0.1:* http://localhost:*",
  })
}
