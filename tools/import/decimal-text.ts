/** Decimal numbers as text: what they are, without a double in between that would round them. */

export interface Decimal {
  readonly negative: boolean
  /** Significant digits without zeros at either end; empty for zero. */
  readonly digits: string
  /** The power of ten that the last digit counts. */
  readonly exponent: number
}

const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?$/

/** Undefined when the text is no decimal number. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = PATTERN.exec(text)
  if (match === null) return undefined
  const [, sign, integer = '', fraction = '', power = '0'] = match
  if (integer === '' && fraction === '') return undefined
  const all = `${integer}${fraction}`.replace(/^0+/, '')
  const digits = all.replace(/0+$/, '')
  return {
    negative: sign === '-',
    digits,
    exponent: digits === '' ? 0 : Number(power) - fraction.length + all.length - digits.length,
  }
}

export function isWhole({ exponent }: Decimal): boolean {
  return exponent >= 0
}

/** Digits before the point. */
export function integerDigits({ digits, exponent }: Decimal): number {
  return Math.max(0, digits.length + exponent)
}

/** Digits behind the point. */
export function fractionDigits({ exponent }: Decimal): number {
  return Math.max(0, -exponent)
}

/** The number without a power of ten, such as "-0.0125". Only for numbers of a bounded number of digits. */
export function plainText(decimal: Decimal): string {
  const { negative, digits, exponent } = decimal
  const whole = digits.padEnd(digits.length + Math.max(0, exponent), '0')
  const padded = whole.padStart(fractionDigits(decimal) + 1, '0')
  const point = padded.length - fractionDigits(decimal)
  const text = point === padded.length ? padded : `${padded.slice(0, point)}.${padded.slice(point)}`
  return negative ? `-${text}` : text
}

/** Whether the double nearest to the number shows as the same number, so that nothing is lost in it. */
export function isExactAsDouble(text: string, decimal: Decimal): boolean {
  const value = Number(text)
  if (!Number.isFinite(value)) return false
  const shown = parseDecimal(String(value))
  return shown !== undefined && shown.digits === decimal.digits && shown.exponent === decimal.exponent
}
