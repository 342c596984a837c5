/** The client is light: a program that imports it loads neither the store nor the HTTP server nor protobufjs. */
import { readFile } from 'node:fs/promises'
import t from 'tap'

const SPECIFIER = /^(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]/gm

async function packagesOf(file: URL, seen: Set<string>): Promise<Set<string>> {
  const packages = new Set<string>()
  if (seen.has(file.href)) return packages
  seen.add(file.href)
  for (const [, specifier] of (await readFile(file, 'utf8')).matchAll(SPECIFIER)) {
    if (specifier!.startsWith('.')) {
      for (const name of await packagesOf(new URL(specifier!, file), seen)) packages.add(name)
    } else if (!specifier!.startsWith('node:')) packages.add(specifier!)
  }
  return packages
}

void t.test('it needs a WebSocket and the codecs that are written by hand, and nothing behind the log', async (t) => {
  const seen = new Set<string>()
  const packages = await packagesOf(new URL('../../tools/client/client.js', import.meta.url), seen)
  t.strictSame([...packages].sort(), ['ws'])
  const folders = new Set(
    [...seen].map((file) => /\/(core|store|log\/codec|ddl|log|primary|replica|tools\/client)\//.exec(file)?.[1]),
  )
  t.strictSame([...folders].sort(), ['core', 'log/codec', 'tools/client'])
})
