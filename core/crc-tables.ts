/**
 * The eight tables with which a CRC of 32 bits is computed eight bytes at a time ("slicing-by-8", Kounavis and Berry 2005).
 */

export type CrcTables = readonly [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
]

/** @param polynomial with its bits reversed */
export function crcTables(polynomial: number): CrcTables {
  const table = (): Uint32Array => new Uint32Array(256)
  const tables: CrcTables = [table(), table(), table(), table(), table(), table(), table(), table()]
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    tables[0][byte] = crc
  }
  // Table n advances a byte over n more zero bytes than table 0 does.
  for (let byte = 0; byte < 256; byte++) {
    let crc = tables[0][byte]!
    for (let slice = 1; slice < 8; slice++) {
      crc = tables[0][crc & 0xff]! ^ (crc >>> 8)
      tables[slice]![byte] = crc
    }
  }
  return tables
}
