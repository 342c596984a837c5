/** Columns of text aligned for a terminal: the first row is the heading; a column of numbers is flushed right. */

const NUMERIC = /^-?[\d,.]+( (B|KiB|MiB|GiB|s|ms|\/s))?$/

export function alignedTable(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0
  const widths = Array.from({ length: columns }, (_, at) => Math.max(...rows.map((row) => widthOf(row[at] ?? ''))))
  const numeric = widths.map((_, at) => rows.slice(1).every((row) => row[at] === '' || NUMERIC.test(row[at] ?? '')))
  return rows
    .map((row) =>
      row
        .map((text, at) => {
          const padding = ' '.repeat(widths[at]! - widthOf(text))
          return numeric[at] === true ? padding + text : text + padding
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Code points, which is what most terminals give a cell each. */
function widthOf(text: string): number {
  return [...text].length
}

/** A text of users in one line: what would move the cursor, or speak to the terminal, is a space. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** 1536 → "1.5 KiB" */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${BYTE_UNITS[unit]!}`
}

/** 12345 → "12,345" */
export function formatCount(count: number | bigint): string {
  return count.toLocaleString('en-US')
}

/** 3725.4 → "1 h 2 min", 0.25 → "0.25 s" */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toFixed(2))} s`
  if (seconds < 60) return `${Math.round(seconds)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}
