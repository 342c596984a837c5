/** The rows of a file, whatever its format; they can be read more than once. */
import { ReplogError } from '../../core/errors.js'
import { readCsv } from './csv-reader.js'
import { readJsonArray, readNdjson } from './json-reader.js'
import type { SourceFile } from './source-file.js'
import type { SourceFormat, SourceRecord } from './source-record.js'

export interface FormatOptions {
  /** Told by the name and the first character when left out. */
  readonly format?: SourceFormat | undefined
  /** CSV: one character; a comma, or a tab for .tsv, when left out. */
  readonly delimiter?: string | undefined
  /** CSV: the unquoted text that means NULL; empty when left out. */
  readonly nullText?: string | undefined
}

export interface RecordSource {
  readonly format: SourceFormat
  /** Whether values have no type but text. */
  readonly isText: boolean
  /** What was chosen, to compare with the choices of an earlier run. */
  readonly choices: Readonly<Record<string, string>>
  /** @throws ReplogError INVALID_ARGUMENT, TOO_LARGE with the line in `details` */
  records(): AsyncGenerator<readonly SourceRecord[]>
}

/** @throws ReplogError INVALID_ARGUMENT when the format is neither given nor plain from the file */
export async function openRecords(file: SourceFile, options: FormatOptions): Promise<RecordSource> {
  const format = options.format ?? formatOfName(file.name) ?? (await formatOfText(file))
  switch (format) {
    case 'csv': {
      const { delimiter = file.name.toLowerCase().endsWith('.tsv') ? '\t' : ',', nullText = '' } = options
      if (delimiter.length !== 1 || delimiter === '"' || delimiter === '\n' || delimiter === '\r') {
        throw new ReplogError('INVALID_ARGUMENT', 'a delimiter is one character, and no quote or newline')
      }
      return {
        format,
        isText: true,
        choices: { format, delimiter, nullText },
        records: () => readCsv(file.text(), { delimiter, nullText }),
      }
    }
    case 'ndjson':
      return { format, isText: false, choices: { format }, records: () => readNdjson(file.text()) }
    case 'json':
      return { format, isText: false, choices: { format }, records: () => readJsonArray(file.text()) }
  }
}

function formatOfName(name: string): SourceFormat | undefined {
  const extension = /\.([^.]+)$/.exec(name.toLowerCase())?.[1]
  if (extension === 'csv' || extension === 'tsv') return 'csv'
  if (extension === 'ndjson' || extension === 'jsonl') return 'ndjson'
  return undefined
}

/** Files called .json hold an array, or an object a line. */
async function formatOfText(file: SourceFile): Promise<SourceFormat> {
  for await (const piece of file.text()) {
    const first = piece.trimStart()[0]
    if (first === '[') return 'json'
    if (first === '{') return 'ndjson'
    if (first !== undefined) break
  }
  throw new ReplogError(
    'INVALID_ARGUMENT',
    `${file.path} begins neither like a JSON array nor like objects; name its format with --format csv, ndjson or json`,
  )
}
