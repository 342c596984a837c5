/**
 * `replog bench http`: one-shot transactions over HTTP beside an empty Fastify route, and what a bare WebSocket keeps when
 * clients become more. The first says what the server adds to the library that serves it, the second what is lost before
 * any server has done anything.
 */
import { CATALOG_CONNECTIONS_MAX } from '../../core/limits.js'
import { listOf, positiveInteger, within } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import type { Verb } from '../verb.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut } from './bench-files.js'
import { openFileLimit, requireOpenFiles } from './blades/open-files.js'
import { measureHttp } from './http/measure.js'
import type { HttpSettings } from './http/report.js'
import { plotsOf, reportHtml } from './http/report-html.js'
import { reportText } from './http/report-text.js'
import { addProfileFlag } from './profiles.js'

interface Options extends FileOptions {
  readonly profile: keyof typeof PROFILES
  readonly connections?: readonly number[]
  readonly echoClients?: readonly number[]
  readonly seconds?: number
  readonly repetitions?: number
}

const PROFILES = {
  quick: { connections: [64], echoClients: [], seconds: 2, repetitions: 3 },
  full: { connections: [1, 64, 256], echoClients: [1000, 8000], seconds: 5, repetitions: 5 },
} as const satisfies Record<string, HttpSettings>

const PROFILE_NAMES = Object.keys(PROFILES) as (keyof typeof PROFILES)[]
const CONNECTIONS_MAX = 4096
const SECONDS_MAX = 3600

export const verb: Verb<Options> = {
  name: 'bench http',
  summary: 'Measure one-shot transactions over HTTP, beside an empty Fastify route',
  configure(command) {
    addProfileFlag(command, PROFILE_NAMES, 'quick')
      .option(
        '--connections <list>',
        'how many connections post at the same time, such as 1,64',
        listOf(within(1, CONNECTIONS_MAX)),
      )
      .option(
        '--echo-clients <list>',
        'how many clients a bare WebSocket echo is measured with, such as 1000,8000',
        listOf(within(1, CATALOG_CONNECTIONS_MAX)),
      )
      .option('--seconds <n>', 'how long each slice is', within(1, SECONDS_MAX))
      .option('--repetitions <n>', 'how often each slice is measured, in turns', positiveInteger)
    addFileFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const preset = PROFILES[options.profile]
    const connections = options.connections ?? preset.connections
    const echoClients = options.echoClients ?? preset.echoClients
    requireOpenFiles(Math.max(...connections, ...echoClients), 1, openFileLimit())
    const signal = untilStopped()
    const bar = new ProgressBar(terminal.stderr, undefined, 'slices')
    await inBenchDirectory(invocation, 'replog-bench-http-', async (directory) => {
      const report = await measureHttp({
        connections,
        echoClients,
        seconds: options.seconds ?? preset.seconds,
        repetitions: options.repetitions ?? preset.repetitions,
        directory,
        terminal,
        signal,
        onProgress(phase, done, of) {
          bar.update({ phase, rows: done, fraction: done / of })
        },
      }).finally(() => {
        bar.end()
      })
      await putOut(invocation, {
        report,
        text: () => reportText(report),
        html: () => reportHtml(report),
        plots: () => plotsOf(report),
      })
    })
  },
}
