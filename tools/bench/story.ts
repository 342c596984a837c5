/** What a result has to tell, in order, whatever it is told in: an HTML page, a page of the docs. */
import type { NamedPlot } from './plot.js'

export type StoryPart =
  | { readonly heading: string }
  | { readonly text: string }
  | { readonly lines: readonly string[] }
  /** The first row is the heading. */
  | { readonly table: readonly (readonly string[])[] }
  | { readonly plot: NamedPlot }

export type Story = readonly StoryPart[]

export function plotsIn(story: Story): NamedPlot[] {
  return story.flatMap((part) => ('plot' in part ? [part.plot] : []))
}
