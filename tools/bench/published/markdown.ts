/** The little of Markdown that pages of results are written in. Plots are files beside the page. */
import type { NamedPlot } from '../plot.js'
import type { Story } from '../story.js'

/** @param plotPath where the file of a plot lies, seen from the page */
export function storyMarkdown(story: Story, plotPath: (plot: NamedPlot) => string): string {
  return story
    .map((part) => {
      if ('heading' in part) return `### ${escaped(part.heading)}`
      if ('text' in part) return escaped(part.text)
      if ('lines' in part) return part.lines.map((line) => `- ${escaped(line)}`).join('\n')
      if ('table' in part) return markdownTable(part.table.map((row) => row.map(escaped)))
      return `![${escaped(part.plot.name)}](${plotPath(part.plot)})`
    })
    .filter((text) => text !== '')
    .join('\n\n')
}

/** The first row is the heading; cells are Markdown already. */
export function markdownTable([heading = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => (cell === '' ? ' ' : cell)).join(' | ')} |`
  return [line(heading), `|${' --- |'.repeat(heading.length)}`, ...rows.map(line)].join('\n')
}

/** Text as it is meant, in a paragraph or a cell. */
export function escaped(text: string): string {
  return text.replaceAll(/([\\`*_[\]<|])/g, '\\$1').replaceAll('\n', ' ')
}
