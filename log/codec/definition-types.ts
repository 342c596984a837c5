/** protobufjs' types of the dictionary messages, made from the descriptor of replication.proto. */
import protobuf from 'protobufjs/light.js'
import { REPLICATION_DESCRIPTOR } from './generated/replication.js'

const root = protobuf.Root.fromJSON(REPLICATION_DESCRIPTOR)

export const catalogType = root.lookupType('replog.v1.CatalogMessage')
export const schemaType = root.lookupType('replog.v1.SchemaMessage')
export const tableType = root.lookupType('replog.v1.TableMessage')

/** The names of an enum's values; a number that this program does not know has none. */
export function namesOf<Name extends string>(enumName: string): Readonly<Record<number, Name | undefined>> {
  return root.lookupEnum(`replog.v1.${enumName}`).valuesById as Record<number, Name | undefined>
}
