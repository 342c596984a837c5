/** Numbers as people read them: a value and its unit, short, never with more digits than they mean. */

export interface Quantity {
  readonly value: string
  readonly unit: string
}

/** What stands where a figure is not known. */
export const UNKNOWN = '–'

const GROUPED = new Intl.NumberFormat('en')
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

export function unknownQuantity(): Quantity {
  return { value: UNKNOWN, unit: '' }
}

/** "12,345" of a number, a bigint or decimal digits. */
export function formatCount(count: number | bigint | string): string {
  return GROUPED.format(typeof count === 'string' ? BigInt(count) : count)
}

/** One decimal below ten, where it matters, none above. */
export function formatRate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : GROUPED.format(Math.round(perSecond))
}

export function countQuantity(count: number | bigint | string, unit = ''): Quantity {
  return { value: formatCount(count), unit }
}

export function rateQuantity(perSecond: number): Quantity {
  return { value: formatRate(perSecond), unit: '/s' }
}

/** Three digits and a binary unit. */
export function bytesQuantity(bytes: number | bigint | string): Quantity {
  let rest = Number(bytes)
  let unit = 0
  while (rest >= 1000 && unit < BYTE_UNITS.length - 1) {
    rest /= 1024
    unit++
  }
  return { value: unit === 0 ? GROUPED.format(Math.round(rest)) : threeDigits(rest), unit: BYTE_UNITS[unit]! }
}

/** A lag or a delay: milliseconds below a second. */
export function secondsQuantity(seconds: number): Quantity {
  if (seconds === 0) return { value: '0', unit: 's' }
  if (seconds < 0.9995) return { value: trimmed(threeDigits(seconds * 1000)), unit: 'ms' }
  if (seconds < 60) return { value: trimmed(threeDigits(seconds)), unit: 's' }
  return { value: formatSpan(seconds), unit: '' }
}

/** How long something lasts, in its two largest units: "3 min 12 s". */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
  return `${formatCount(Math.floor(whole / 86_400))} d ${Math.floor((whole % 86_400) / 3600)} h`
}

/** "18:03:11" of a time in milliseconds since 1970, where the reader is. */
export function formatClock(atMs: number): string {
  return CLOCK.format(atMs)
}

export function quantityText({ value, unit }: Quantity): string {
  return unit === '' ? value : `${value} ${unit}`
}

function threeDigits(value: number): string {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)
}

function trimmed(decimal: string): string {
  return decimal.includes('.') ? decimal.replace(/\.?0+$/, '') : decimal
}
