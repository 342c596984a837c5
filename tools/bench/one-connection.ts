/** Requests over one connection that is kept open, one at a time: what is measured is the server, not the client. */
import { Agent, request } from 'node:http'
import { ReplogError } from '../../core/errors.js'

export class OneConnection {
  readonly #base: URL
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(url: string) {
    this.#base = new URL(url)
  }

  /**
   * The text of a successful answer.
   * @param body sent as JSON, by POST
   * @throws ReplogError UNREACHABLE; PROTOCOL for an answer that is not a success
   */
  send(path: string, body?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = {
        agent: this.#agent,
        host: this.#base.hostname,
        port: this.#base.port,
        path,
        ...(body === undefined
          ? {}
          : {
              method: 'POST',
              headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
            }),
      }
      const sent = request(options, (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => {
          text += chunk
        })
        answer.on('end', () => {
          const { statusCode } = answer
          if (statusCode !== undefined && statusCode < 300) resolve(text)
          else reject(new ReplogError('PROTOCOL', `${path} was answered with status ${statusCode}: ${text}`))
        })
        answer.on('error', reject)
      })
      sent.on('error', (cause) => {
        reject(new ReplogError('UNREACHABLE', `the server does not answer: ${cause.message}`, { cause }))
      })
      sent.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
