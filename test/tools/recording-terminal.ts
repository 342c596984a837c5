/** A terminal that keeps what a command writes, and a way to run a command in this process. */
import { Writable } from 'node:stream'
import { dispatch } from '../../tools/dispatch.js'
import { type OutputStream, Terminal } from '../../tools/terminal.js'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  readonly bytes: Buffer
}

export interface RecordedStream {
  readonly stream: OutputStream
  readonly bytes: () => Buffer
}

export function recordedStream(extra: { readonly isTTY?: boolean; readonly columns?: number } = {}): RecordedStream {
  const chunks: Buffer[] = []
  const stream = new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  return { stream: Object.assign(stream, extra), bytes: () => Buffer.concat(chunks) }
}

/** Runs `replog ARGS`. */
export async function replog(...args: readonly string[]): Promise<Ran> {
  const [out, err] = [recordedStream(), recordedStream()]
  const code = await dispatch(args, new Terminal(out.stream, err.stream))
  return { code, stdout: out.bytes().toString(), stderr: err.bytes().toString(), bytes: out.bytes() }
}

/** The lines of NDJSON. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
