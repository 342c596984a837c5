/** Text in pieces, as a file gives it, and what a reader makes of it. */
import { type CsvOptions, readCsv } from '../../../tools/import/csv-reader.js'
import { readJsonArray, readNdjson } from '../../../tools/import/json-reader.js'
import type { SourceRecord } from '../../../tools/import/source-record.js'

/** The text cut into pieces of `length` characters. */
export async function* piecesOf(text: string, length = text.length || 1): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += length) yield text.slice(at, at + length)
}

async function collected(batches: AsyncIterable<readonly SourceRecord[]>): Promise<SourceRecord[]> {
  const records: SourceRecord[] = []
  for await (const batch of batches) records.push(...batch)
  return records
}

export const CSV_DEFAULTS: CsvOptions = { delimiter: ',', nullText: '' }

export function csv(text: string, length?: number, options: Partial<CsvOptions> = {}): Promise<SourceRecord[]> {
  return collected(readCsv(piecesOf(text, length), { ...CSV_DEFAULTS, ...options }))
}

export function json(text: string, length?: number): Promise<SourceRecord[]> {
  return collected(readJsonArray(piecesOf(text, length)))
}

export function ndjson(text: string, length?: number): Promise<SourceRecord[]> {
  return collected(readNdjson(piecesOf(text, length)))
}
