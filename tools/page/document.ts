/**
 * A page as one HTML document with its style and script in it, and the policy under which it runs.
 *
 * The policy lets exactly this script and this style run, and lets the page ask the servers that are named; no markup can
 * be made of text (trusted types), whatever a server calls its tables.
 */
import { createHash } from 'node:crypto'

export interface PageDocument {
  readonly html: string
  /** Value of the header Content-Security-Policy. */
  readonly contentSecurityPolicy: string
}

export interface PageParts {
  readonly head: string
  readonly body: string
  readonly style: string
  readonly script: string
  /** Whom it may ask, as the policy names them. */
  readonly connect: string
}

export function pageDocument({ head, body, style, script, connect }: PageParts): PageDocument {
  const html =
    `<!doctype html>\n<html lang="en">\n<head>\n${head.trim()}\n<style>${style}</style>\n</head>\n` +
    `<body>\n${body.trim()}\n<script type="module">${script}</script>\n</body>\n</html>\n`
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    `connect-src ${connect}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
  return { html, contentSecurityPolicy }
}

/** As the policy names an inline element: the digest of its text. */
function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`
}
