/**
 * The proleptic Gregorian calendar as day numbers, and the digits of dates and times. Text goes through one scratch
 * buffer: its writers put digits at an offset, and one call makes the string.
 *
 * Day arithmetic after Howard Hinnant, "chrono-compatible low-level date algorithms".
 */

export const US_PER_DAY = 86_400_000_000
export const YEAR_MIN = 1
export const YEAR_MAX = 9999

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const DAYS_PER_ERA = 146_097
/** Days from 0000-03-01 to 1970-01-01. */
const EPOCH_SHIFT_DAYS = 719_468

const DATE_LENGTH = 10
const SECONDS_LENGTH = 8

const DIGIT_0 = 0x30
const HYPHEN = 0x2d
const COLON = 0x3a
const POINT = 0x2e

export function isDate(year: number, month: number, day: number): boolean {
  if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || day < 1) return false
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= MONTH_DAYS[month - 1]! + (leap ? 1 : 0)
}

/** Days since 1970-01-01. */
export function dayNumber(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * DAYS_PER_ERA + dayOfEra - EPOCH_SHIFT_DAYS
}

export const DAY_MIN = dayNumber(YEAR_MIN, 1, 1)
export const DAY_MAX = dayNumber(YEAR_MAX, 12, 31)

/** The number that `count` digits at `start` make; -1 when one of them is not a digit or the text ends before. */
export function digitsAt(text: string, start: number, count: number): number {
  let value = 0
  for (let index = start; index < start + count; index++) {
    // Behind the end of the text this is NaN, which is not in the range either.
    const digit = text.charCodeAt(index) - DIGIT_0
    if (!(digit >= 0 && digit <= 9)) return -1
    value = value * 10 + digit
  }
  return value
}

/** Day number of the "YYYY-MM-DD" at `start`; undefined when there is none. */
export function dayAt(text: string, start: number): number | undefined {
  const year = digitsAt(text, start, 4)
  const month = digitsAt(text, start + 5, 2)
  const day = digitsAt(text, start + 8, 2)
  if (text.charCodeAt(start + 4) !== HYPHEN || text.charCodeAt(start + 7) !== HYPHEN) return undefined
  return isDate(year, month, day) ? dayNumber(year, month, day) : undefined
}

/**
 * Microseconds since midnight of the "HH:MM:SS" or "HH:MM:SS.fraction" in `text[start, end)`; undefined when it is
 * none. Fraction digits behind the sixth must be zeros.
 */
export function timeAt(text: string, start: number, end: number): number | undefined {
  const hour = digitsAt(text, start, 2)
  const minute = digitsAt(text, start + 3, 2)
  const second = digitsAt(text, start + 6, 2)
  if (text.charCodeAt(start + 2) !== COLON || text.charCodeAt(start + 5) !== COLON) return undefined
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return undefined
  const fraction = fractionAt(text, start + SECONDS_LENGTH, end)
  return fraction === undefined ? undefined : ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
}

/** Microseconds of the "" or ".digits" in `text[start, end)`. */
function fractionAt(text: string, start: number, end: number): number | undefined {
  if (end === start) return 0
  if (end < start + 2 || text.charCodeAt(start) !== POINT) return undefined
  let micros = 0
  let unit = 100_000
  for (let index = start + 1; index < end; index++) {
    const digit = text.charCodeAt(index) - DIGIT_0
    if (!(digit >= 0 && digit <= 9) || (digit > 0 && unit < 1)) return undefined
    if (unit >= 1) micros += digit * unit
    unit /= 10
  }
  return micros
}

/** Puts "YYYY-MM-DD" of a day number at `offset` and returns its end. */
export function putDay(buffer: Uint8Array, offset: number, dayNumber: number): number {
  const day = dayNumber + EPOCH_SHIFT_DAYS
  const era = Math.floor(day / DAYS_PER_ERA)
  const dayOfEra = day - era * DAYS_PER_ERA
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  putTwoDigits(buffer, offset, Math.floor(year / 100))
  putTwoDigits(buffer, offset + 2, year % 100)
  buffer[offset + 4] = HYPHEN
  putTwoDigits(buffer, offset + 5, month)
  buffer[offset + 7] = HYPHEN
  putTwoDigits(buffer, offset + 8, dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1)
  return offset + DATE_LENGTH
}

/** Puts "HH:MM:SS" and 0, 3 or 6 fraction digits of microseconds since midnight, and returns the end. */
export function putTime(buffer: Uint8Array, offset: number, timeUs: number): number {
  const seconds = Math.floor(timeUs / 1_000_000)
  const micros = timeUs - seconds * 1_000_000
  const minutes = Math.floor(seconds / 60)
  putTwoDigits(buffer, offset, Math.floor(minutes / 60))
  buffer[offset + 2] = COLON
  putTwoDigits(buffer, offset + 3, minutes % 60)
  buffer[offset + 5] = COLON
  putTwoDigits(buffer, offset + 6, seconds % 60)
  if (micros === 0) return offset + SECONDS_LENGTH
  const millis = Math.floor(micros / 1000)
  buffer[offset + SECONDS_LENGTH] = POINT
  putThreeDigits(buffer, offset + 9, millis)
  if (micros === millis * 1000) return offset + 12
  putThreeDigits(buffer, offset + 12, micros - millis * 1000)
  return offset + 15
}

function putTwoDigits(buffer: Uint8Array, offset: number, value: number): void {
  const tens = (value / 10) | 0
  buffer[offset] = DIGIT_0 + tens
  buffer[offset + 1] = DIGIT_0 + value - tens * 10
}

function putThreeDigits(buffer: Uint8Array, offset: number, value: number): void {
  const hundreds = (value / 100) | 0
  buffer[offset] = DIGIT_0 + hundreds
  putTwoDigits(buffer, offset + 1, value - hundreds * 100)
}
