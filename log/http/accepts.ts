/** What a request's Accept and Accept-Encoding headers allow, as far as it is asked here (RFC 9110, 12.5). */

/** Whether a type is named there; a range such as `*` + `/*` does not ask for it. */
export function acceptsType(header: string | undefined, type: string): boolean {
  return weightOf(header, type) > 0
}

export function acceptsEncoding(header: string | undefined, coding: string): boolean {
  return weightOf(header, coding) > 0
}

/** 0 when it is not named, or refused. */
function weightOf(header = '', name: string): number {
  for (const part of header.split(',')) {
    const [value = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
    if (value !== name) continue
    const quality = parameters.find((parameter) => /^q\s*=/.test(parameter))
    return quality === undefined ? 1 : Number(quality.slice(quality.indexOf('=') + 1))
  }
  return 0
}
