/**
 * Makes or drops many catalogs over HTTP, some at a time. The server decides how fast: when it says that it is at a
 * limit, the request waits and is sent again.
 *
 * Invariant: at most `concurrency` requests are under way, and after the first failure no new one begins.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isReplogError } from '../../core/errors.js'
import type { CreateCatalogInput } from '../../primary/catalog-definition.js'
import type { StatementInput } from '../../primary/statement.js'
import type { HttpClient } from '../http-client.js'

export interface MakeOptions {
  readonly concurrency: number
  /** Comment and options of each. */
  readonly catalog?: CreateCatalogInput
  /** Run in each, as one transaction behind its making. */
  readonly statements: readonly StatementInput[]
  /** Goes on where a catalog or its table is there already. */
  readonly ifNotExists: boolean
  /** Told how many are done. */
  readonly onProgress: (done: number) => void
}

export interface MadeCatalogs {
  readonly created: number
  /** Those that were there already. */
  readonly existed: number
}

/** How often a request that met a limit is sent again, and the pause before it. */
const LIMIT_ATTEMPTS_MAX = 60
const LIMIT_PAUSE_MS = 500

/** Makes a small table. */
export const CREATE_ITEMS: StatementInput = {
  createTable: {
    ifNotExists: true,
    table: {
      schema: 'test',
      name: 'items',
      columns: [
        { name: 'id', type: 'BIGINT' },
        { name: 'name', type: 'TEXT', notNull: true },
      ],
      primaryKey: ['id'],
    },
  },
}

/** @throws ReplogError ALREADY_EXISTS, INVALID_ARGUMENT, LIMIT, UNREACHABLE; what was made before stays */
export async function makeCatalogs(
  client: HttpClient,
  names: readonly string[],
  options: MakeOptions,
): Promise<MadeCatalogs> {
  let created = 0
  await forEach(names, options, async (name) => {
    if (await makeCatalog(client, name, options)) created++
    const { statements } = options
    if (statements.length > 0) await unlessLimited(() => client.execute(name, statements))
  })
  return { created, existed: names.length - created }
}

/** @returns false when it was there already */
async function makeCatalog(
  client: HttpClient,
  name: string,
  { catalog, ifNotExists }: Pick<MakeOptions, 'catalog' | 'ifNotExists'>,
): Promise<boolean> {
  try {
    await unlessLimited(() => client.createCatalog(name, catalog))
    return true
  } catch (error) {
    if (ifNotExists && isReplogError(error, 'ALREADY_EXISTS')) return false
    throw error
  }
}

/** @throws ReplogError NOT_FOUND, INVALID_ARGUMENT, LIMIT, UNREACHABLE; what was dropped before stays so */
export async function dropCatalogs(
  client: HttpClient,
  names: readonly string[],
  options: Pick<MakeOptions, 'concurrency' | 'onProgress'>,
): Promise<void> {
  await forEach(names, options, async (name) => {
    await unlessLimited(() => client.dropCatalog(name))
  })
}

/** Does the work for every name, some at a time. @throws the first failure, when all that was under way is done */
async function forEach(
  names: readonly string[],
  { concurrency, onProgress }: Pick<MakeOptions, 'concurrency' | 'onProgress'>,
  work: (name: string) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = []
  let next = 0
  let done = 0
  const worker = async (): Promise<void> => {
    while (next < names.length && failures.length === 0) {
      try {
        await work(names[next++]!)
        onProgress(++done)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, names.length) }, worker))
  if (failures.length > 0) throw failures[0]
}

async function unlessLimited(request: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await request()
      return
    } catch (error) {
      if (!isReplogError(error, 'LIMIT') || attempt >= LIMIT_ATTEMPTS_MAX) throw error
      await delay(LIMIT_PAUSE_MS)
    }
  }
}

/** `prefix` and a number from 1 to `count`, with zeros before it, so that names sort as their numbers do. */
export function numberedNames(prefix: string, count: number): string[] {
  const digits = String(count).length
  return Array.from({ length: count }, (_, at) => prefix + String(at + 1).padStart(digits, '0'))
}
