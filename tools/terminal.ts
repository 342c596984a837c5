/** Where a command writes: data to stdout, everything about the run to stderr, so that data can be piped on. */
import { once } from 'node:events'

/** The part of a process's stream that commands use. */
export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

export class Terminal {
  readonly stdout: OutputStream
  readonly stderr: OutputStream

  constructor(stdout: OutputStream, stderr: OutputStream) {
    this.stdout = stdout
    this.stderr = stderr
  }

  /** A line of data. */
  print(line: string): void {
    this.stdout.write(`${line}\n`)
  }

  /** A value as one line of JSON; bigint as decimal text. */
  printJson(value: unknown): void {
    this.print(jsonText(value))
  }

  /** A line about the run. */
  note(line: string): void {
    this.stderr.write(`${line}\n`)
  }

  /** Data of any length: resolves when the reader has room for more. */
  async write(data: string | Uint8Array): Promise<void> {
    if (!this.stdout.write(data)) await once(this.stdout, 'drain')
  }
}

/** JSON with bigint as decimal text, the protobuf JSON mapping. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_name, part: unknown) => (typeof part === 'bigint' ? part.toString() : part), indent)
}
