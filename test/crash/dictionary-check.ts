/**
 * The dictionary against itself: each definition is where it says that it is, each place leads to one, each table has all
 * its versions and a storage of its own, and foreign keys are known at both ends.
 */
import { messageOf } from '../../core/errors.js'
import { decodeSchemaMessage, decodeTableMessage } from '../../log/codec/definition-codec.js'
import type { ReferenceMessage, TableMessage } from '../../log/codec/message.js'
import { describeKey, keyBytes, keyText, schemaPlaceKey, tablePlaceKey, tableVersionKey } from '../../store/keys.js'
import { catalogOf } from './expectations.js'
import type { Fold } from './fold.js'
import type { Image, Problems, StoreContents } from './store-contents.js'

export function checkDictionary({ dictionary }: StoreContents, fold: Fold, problems: Problems): void {
  const storages = new Map<number, string>()
  for (const [text, payload] of dictionary) {
    const key = keyBytes(text)
    const catalogId = catalogOf(key, fold)
    // A dropped catalog is purged in any order.
    if (catalogId !== undefined && fold.droppedCatalogs.has(catalogId)) continue
    const name = describeKey(key)
    try {
      for (const flaw of flawsOf(key, text, payload, dictionary, fold)) problems.add(`${name} ${flaw}`)
      if (key[1] !== TABLE) continue
      const { storageId } = decodeTableMessage(payload)
      const other = storages.get(storageId)
      if (other !== undefined) problems.add(`${name} has the storage of ${other}`)
      storages.set(storageId, name)
    } catch (error) {
      problems.add(`${name}: ${messageOf(error)}`)
    }
  }
}

const TABLE = 't'.charCodeAt(0)

function flawsOf(key: Buffer, text: string, payload: Buffer, dictionary: Image, fold: Fold): string[] {
  switch (String.fromCharCode(key[1]!)) {
    case 't': {
      const message = decodeTableMessage(payload)
      return [
        ...flawOf(leadsTo(dictionary, tablePlaceKey(message.id), text), 'is not where the place of its id leads'),
        ...flawOf(dictionary.has(keyText(schemaPlaceKey(message.schemaId))), 'is in a schema that does not exist'),
        ...versionFlaws(message, payload, dictionary),
        ...referenceFlaws(message, fold),
      ]
    }
    case 's': {
      const { id } = decodeSchemaMessage(payload)
      return flawOf(leadsTo(dictionary, schemaPlaceKey(id), text), 'is not where the place of its id leads')
    }
    case 'i':
    case 'j':
      return flawOf(dictionary.has(keyText(payload)), 'leads nowhere')
    default:
      return []
  }
}

function versionFlaws({ id, version }: TableMessage, payload: Buffer, dictionary: Image): string[] {
  const textOf = (past: number): string => keyText(tableVersionKey(id, past))
  const versions = Array.from({ length: version }, (_, ordinal) => ordinal + 1)
  return [
    ...versions.flatMap((past) => flawOf(dictionary.has(textOf(past)), `has lost its version ${past}`)),
    ...flawOf(dictionary.get(textOf(version))?.equals(payload) === true, 'is not its last version'),
  ]
}

function referenceFlaws({ id, referencedBy, foreignKeys }: TableMessage, fold: Fold): string[] {
  const exists = ({ tableId, foreignKeyId }: ReferenceMessage): boolean =>
    fold.live.get(tableId)?.message.foreignKeys.some((one) => one.id === foreignKeyId && one.targetTableId === id) ===
    true
  return [
    ...flawOf(referencedBy.every(exists), 'knows of a foreign key that does not exist'),
    ...foreignKeys.flatMap(({ id: foreignKeyId, targetTableId }) => {
      const known = fold.live.get(targetTableId)?.message.referencedBy ?? []
      const times = known.filter((one) => one.tableId === id && one.foreignKeyId === foreignKeyId).length
      return flawOf(times === 1, `has a foreign key that its target, table ${targetTableId}, knows ${times} times`)
    }),
  ]
}

function leadsTo(dictionary: Image, place: Buffer, text: string): boolean {
  const payload = dictionary.get(keyText(place))
  return payload !== undefined && keyText(payload) === text
}

function flawOf(isSound: boolean, flaw: string): string[] {
  return isSound ? [] : [flaw]
}
