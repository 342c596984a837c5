/** The little of Markdown that tests read: table rows and fenced blocks. */

/**
 * Cells of every row of every table in the text, without headers; code marks and escapes are taken off.
 * A header is the row above a `| --- |` line.
 */
export function tableRows(text: string): string[][] {
  const lines = text.split('\n')
  const isRuler = (line: string | undefined): boolean => line !== undefined && /^\|( *:?-+:? *\|)+$/.test(line)
  return lines
    .filter((line, number) => line.startsWith('|') && !isRuler(line) && !isRuler(lines[number + 1]))
    .map((line) =>
      line
        .replace(/^\||\|$/g, '')
        .split(/(?<!\\)\|/)
        .map((cell) =>
          cell
            .trim()
            .replaceAll('\\|', '|')
            .replace(/^`([^`]*)`$/, '$1'),
        ),
    )
}

export interface FencedBlock {
  readonly language: string
  /** What follows the language on the opening line. */
  readonly info: string
  readonly text: string
  /** Line of the text's first line, counted from 1. */
  readonly line: number
}

/** Blocks between ``` lines, in order; an unclosed one is an error. */
export function fencedBlocks(text: string): FencedBlock[] {
  const blocks: FencedBlock[] = []
  let open: { language: string; info: string; line: number; lines: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    if (open !== undefined) {
      if (line.trim() === '```') {
        blocks.push({ language: open.language, info: open.info, line: open.line, text: `${open.lines.join('\n')}\n` })
        open = undefined
      } else open.lines.push(line)
    } else if (line.startsWith('```')) {
      const [language = '', ...info] = line.slice(3).trim().split(/\s+/)
      open = { language, info: info.join(' '), line: index + 2, lines: [] }
    }
  }
  if (open !== undefined) throw new Error(`the block that starts at line ${open.line} is not closed`)
  return blocks
}
