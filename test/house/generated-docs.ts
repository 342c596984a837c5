/** The pages of docs/ as scripts/generate-docs.mjs makes them from the code that these tests were compiled with. */
import { fileURLToPath, pathToFileURL } from 'node:url'
import { repositoryPath } from './repository.js'

interface Generator {
  renderDocs(build: string): Promise<Map<string, string>>
}

/** Path of each generated page, relative to the repository → its text. */
export async function generatedDocs(): Promise<Map<string, string>> {
  const url = pathToFileURL(repositoryPath('scripts/generate-docs.mjs')).href
  const generator = (await import(url)) as Generator
  return generator.renderDocs(fileURLToPath(new URL('../..', import.meta.url)))
}
