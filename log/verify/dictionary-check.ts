/**
 * The dictionary of a store that nobody writes to, against itself: each definition is where its id leads, each table has all
 * its versions, a storage of its own and a schema, and foreign keys are known at both ends.
 */
import { isReplogError, messageOf } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import {
  DICTIONARY_PREFIX,
  describeKey,
  keyAfter,
  prefixRange,
  schemaPlaceKey,
  tablePlaceKey,
  tableVersionKey,
} from '../../store/keys.js'
import { unseal } from '../../store/seal.js'
import { decodeCatalogMessage, decodeSchemaMessage, decodeTableMessage } from '../codec/definition-codec.js'
import type { ReferenceMessage, TableMessage } from '../codec/message.js'
import { flawAt } from './flaw.js'
import type { RowSource } from './row-source.js'
import type { CheckListener } from './table-check.js'

/** @throws ReplogError CLOSED; CORRUPT when a page cannot be read */
export async function checkDictionary(source: RowSource, listener: CheckListener): Promise<void> {
  const { from, to } = prefixRange(Buffer.of(DICTIONARY_PREFIX))
  const storages = new Map<number, string>()
  for (let next: Uint8Array = from; ;) {
    const page = await source.store.sealedPage(
      { from: next, to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    for (const { key, value } of page.entries) {
      for (const flaw of definitionFlaws(source, key, value, storages)) {
        listener.flaw(flawAt('definition', `${describeKey(key)} ${flaw}`, { from: key }))
      }
    }
    if (page.exhausted) return
    next = keyAfter(page.entries.at(-1)!.key)
  }
}

function definitionFlaws(source: RowSource, key: Buffer, value: Buffer, storages: Map<number, string>): string[] {
  try {
    return flawsOf(new Definitions(source), key, unseal(key, value), storages)
  } catch (error) {
    if (!isReplogError(error)) throw error
    // A value that fails its seal is told of where all values are read.
    return isReplogError(error, 'CORRUPT') ? [] : [`does not parse: ${messageOf(error)}`]
  }
}

function flawsOf(definitions: Definitions, key: Buffer, payload: Buffer, storages: Map<number, string>): string[] {
  switch (String.fromCharCode(key[1] ?? 0)) {
    case 'c':
      decodeCatalogMessage(payload)
      return []
    case 's':
      return flawOf(
        definitions.leadsTo(schemaPlaceKey(decodeSchemaMessage(payload).id), key),
        'is not where the place of its id leads',
      )
    case 't': {
      const message = decodeTableMessage(payload)
      const name = describeKey(key)
      const other = storages.get(message.storageId)
      storages.set(message.storageId, name)
      return [
        ...flawOf(other === undefined, `has the storage of ${other ?? ''}`),
        ...flawOf(definitions.leadsTo(tablePlaceKey(message.id), key), 'is not where the place of its id leads'),
        ...flawOf(definitions.has(schemaPlaceKey(message.schemaId)), 'is in a schema that does not exist'),
        ...definitions.versionFlaws(message, payload),
        ...definitions.referenceFlaws(message),
      ]
    }
    case 'i':
    case 'j':
      return flawOf(definitions.has(payload), 'leads nowhere')
    case 'v':
      decodeTableMessage(payload)
      return []
    default:
      return ['is of no known kind']
  }
}

/** What else the dictionary says; a value that is damaged counts as right here, because it is told of by itself. */
class Definitions {
  readonly #source: RowSource

  constructor(source: RowSource) {
    this.#source = source
  }

  has(key: Buffer): boolean {
    return this.#value(key) !== undefined
  }

  leadsTo(place: Buffer, key: Buffer): boolean {
    const value = this.#value(place)
    return value === 'damaged' || value?.equals(key) === true
  }

  versionFlaws({ id, version }: TableMessage, payload: Buffer): string[] {
    const flaws: string[] = []
    for (let past = 1; past <= version; past++) {
      const stored = this.#value(tableVersionKey(id, past))
      if (stored === undefined) flaws.push(`has lost its version ${past}`)
      else if (past === version && stored !== 'damaged' && !stored.equals(payload)) {
        flaws.push('is not its last version')
      }
    }
    return flaws
  }

  referenceFlaws({ id, referencedBy, foreignKeys }: TableMessage): string[] {
    const exists = ({ tableId, foreignKeyId }: ReferenceMessage): boolean =>
      this.#table(tableId)?.foreignKeys.some((one) => one.id === foreignKeyId && one.targetTableId === id) === true
    return [
      ...flawOf(referencedBy.every(exists), 'knows of a foreign key that does not exist'),
      ...foreignKeys.flatMap(({ id: foreignKeyId, targetTableId }) => {
        const known = this.#table(targetTableId)?.referencedBy ?? []
        const times = known.filter((one) => one.tableId === id && one.foreignKeyId === foreignKeyId).length
        return flawOf(times === 1, `has a foreign key that its target, table ${targetTableId}, knows ${times} times`)
      }),
    ]
  }

  #table(tableId: number): TableMessage | undefined {
    const { dictionary, read } = this.#source
    return dictionary.tableById(read, tableId)?.message
  }

  #value(key: Buffer): Buffer | 'damaged' | undefined {
    try {
      return this.#source.store.get(key)
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
      return 'damaged'
    }
  }
}

function flawOf(isSound: boolean, flaw: string): string[] {
  return isSound ? [] : [flaw]
}
