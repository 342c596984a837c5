/** The pages as scripts/generate-docs.mjs makes them from the code that these tests were compiled with, and from published results. */
import { fileURLToPath, pathToFileURL } from 'node:url'
import { repositoryPath } from './repository.js'

interface Generator {
  readonly renderDocs: (build: string) => Promise<Map<string, string>>
  readonly renderBenchmarks: (load: (path: string) => Promise<unknown>) => Promise<Benchmarks>
  readonly stalePlots: (pages: Map<string, string>) => string[]
  readonly loaderOf: (build: string) => (path: string) => Promise<unknown>
}

interface Benchmarks {
  /** Rows of the table that are not met and that no note explains. */
  readonly unexplained: readonly string[]
  /** Notes on nothing. */
  readonly needless: readonly string[]
}

const BUILD = fileURLToPath(new URL('../..', import.meta.url))

/** Path of each generated page, relative to the repository → its text. */
export async function generatedDocs(): Promise<Map<string, string>> {
  return (await generator()).renderDocs(BUILD)
}

/** Plots in docs/ that no published result has. */
export async function stalePlots(): Promise<string[]> {
  const { renderDocs, stalePlots: find } = await generator()
  return find(await renderDocs(BUILD))
}

/** What the notes on published benchmarks lack, and what is too much in them. */
export async function benchmarkNotes(): Promise<Benchmarks> {
  const { renderBenchmarks, loaderOf } = await generator()
  return renderBenchmarks(loaderOf(BUILD))
}

async function generator(): Promise<Generator> {
  return (await import(pathToFileURL(repositoryPath('scripts/generate-docs.mjs')).href)) as Generator
}
