/** Reads answers that stream changes: lines of JSON, and Server-Sent Events as a browser parses them. */

export type Message = Record<string, unknown>

export function messagesOf(text: string): Message[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Message)
}

/** Lines as they arrive; ends with the answer. */
export async function* lines(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of response.body! as AsyncIterable<Uint8Array>) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop()!
    yield* parts
  }
  if (rest !== '') throw new Error(`the answer ends in the midst of a line: ${rest}`)
}

export interface ServerSentEvent {
  /** The last id that was named, here or before. */
  readonly id: string
  /** Undefined where only an id came. */
  readonly event: string | undefined
  readonly data: Message | undefined
  readonly comments: readonly string[]
  readonly retry: string | undefined
}

/** What stands between two empty lines, as it arrives. */
export async function* events(response: Response): AsyncGenerator<ServerSentEvent> {
  let id = ''
  let fields = new Map<string, string>()
  let comments: string[] = []
  for await (const line of lines(response)) {
    if (line !== '') {
      const at = line.indexOf(': ')
      if (at === 0) comments.push(line.slice(2))
      else fields.set(line.slice(0, at), line.slice(at + 2))
      continue
    }
    id = fields.get('id') ?? id
    const data = fields.get('data')
    const parsed = data === undefined ? undefined : (JSON.parse(data) as Message)
    yield { id, event: fields.get('event'), data: parsed, comments, retry: fields.get('retry') }
    fields = new Map()
    comments = []
  }
}

/** The next of something that has not ended. */
export async function next<Item>(items: AsyncGenerator<Item>): Promise<Item> {
  const result = await items.next()
  if (result.done === true) throw new Error('it ended')
  return result.value
}
