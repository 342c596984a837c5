/**
 * The status page: one HTML document with its style and script in it, and the policy under which it runs.
 *
 * The policy lets exactly this script and this style run, and lets the page ask its own server and servers on this
 * machine; no markup can be made of text (trusted types), whatever a server calls its tables.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { linkModules } from './link-modules.js'
import { BODY, HEAD } from './markup.js'
import { BASE_STYLE } from './style/base.js'
import { CHARTS_STYLE } from './style/charts.js'
import { PANELS_STYLE } from './style/panels.js'

export interface StatusPage {
  readonly html: string
  /** Value of the header Content-Security-Policy. */
  readonly contentSecurityPolicy: string
}

/** Reads the compiled modules of the page beside this file; call it once and keep the result. */
export function statusPage(): StatusPage {
  const script = linkModules('main.js', (file) => readFileSync(new URL(`client/${file}`, import.meta.url), 'utf8'))
  const style = BASE_STYLE + PANELS_STYLE + CHARTS_STYLE
  const html =
    `<!doctype html>\n<html lang="en">\n<head>\n${HEAD.trim()}\n<style>${style}</style>\n</head>\n` +
    `<body>\n${BODY.trim()}\n<script type="module">${script}</script>\n</body>\n</html>\n`
  return { html, contentSecurityPolicy: policyOf(script, style) }
}

function policyOf(script: string, style: string): string {
  return [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self' http://127.0.0.1:* http://localhost:*",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}

/** As the policy names an inline element: the digest of its text. */
function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`
}
