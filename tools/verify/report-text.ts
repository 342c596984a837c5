/** What a verify found, for people: the flaws first, a line each, then how much was read. */
import type { PassReport } from '../../log/verify/scrub-status.js'
import type { Flaw } from '../../log/verify/flaw.js'
import type { Comparison } from './compare-servers.js'
import { formatBytes, formatCount } from '../table-text.js'

export function reportText(report: PassReport): string {
  const { tables, rows, entries, frames, bytes, position, flaws, flawCount } = report
  const lines = flaws.map((flaw) => `${flaw.kind}: ${flaw.message}${rangeText(flaw)}`)
  if (flawCount > flaws.length) lines.push(`… and ${formatCount(flawCount - flaws.length)} more`)
  const counted = [
    `${formatCount(tables)} tables`,
    `${formatCount(rows)} rows`,
    `${formatCount(entries)} index entries`,
    `${formatCount(frames)} log frames`,
    formatBytes(bytes),
  ]
  lines.push(`read ${counted.join(', ')}; the log ends at ${position}`)
  lines.push(flawCount === 0 ? 'sound' : `${formatCount(flawCount)} ${flawCount === 1 ? 'flaw' : 'flaws'}`)
  return lines.join('\n')
}

function rangeText({ from, to }: Flaw): string {
  if (from === null) return ''
  return to === null || to === from ? ` [key ${from}]` : ` [keys ${from} to ${to}]`
}

export function comparisonText({ first, second, common, tables, rows, differences, skipped }: Comparison): string {
  const lines = differences.map(({ catalog, table, kind, lsn, rows: count, words, from, to }) => {
    const where = from === to ? `[key ${from}]` : `[keys ${from} to ${to}]`
    return `table ${table} of catalog ${catalog}, LSN ${lsn}: ${formatCount(count)} rows ${kind}: ${words} ${where}`
  })
  lines.push(...skipped.map((reason) => `not compared: ${reason}`))
  lines.push(`${first} and ${second} have one log up to ${common}`)
  lines.push(`compared ${formatCount(tables)} tables, ${formatCount(rows)} rows`)
  lines.push(differences.length === 0 ? 'equal' : `${formatCount(differences.length)} key ranges differ`)
  return lines.join('\n')
}
