/** `replog status URL`: role, position, health, throughput, and how far every replica is. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import type { ReplicaStages, ServerStatus, StageStatus } from '../log/status.js'
import { addJsonFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import { LEVELS } from './page/client/health.js'
import { type Fact, operationFacts } from './page/client/operations.js'
import { alignedTable, formatBytes, formatCount, formatSeconds } from './table-text.js'
import type { Terminal } from './terminal.js'
import type { Invocation, Verb } from './verb.js'

interface StatusOptions {
  readonly json?: boolean
  readonly watch?: boolean
}

const WATCH_MS = 1000
const CLEAR_SCREEN = '\u001b[2J\u001b[H'

export const verb: Verb<StatusOptions> = {
  name: 'status',
  summary: 'Show role, position and health of a server, and the lag of every replica',
  configure(command: Command) {
    addJsonFlag(command)
      .argument('[url]', 'the server', DEFAULT_URL)
      .option('--watch', 'print it again every second until Ctrl-C')
  },
  async run(invocation) {
    const { args, options, terminal } = invocation
    const client = new HttpClient(args[0] ?? DEFAULT_URL)
    if (options.watch === true) await watch(client, invocation)
    else await show(client, options.json === true, terminal)
  },
}

async function show(client: HttpClient, json: boolean, terminal: Terminal, prefix = ''): Promise<void> {
  const status = await client.status()
  if (json) terminal.printJson(status)
  else await terminal.write(`${prefix}${statusText(status)}\n`)
}

async function watch(client: HttpClient, invocation: Invocation<StatusOptions>): Promise<void> {
  const { options, terminal } = invocation
  const signal = invocation.untilStopped()
  const prefix = terminal.stdout.isTTY === true ? CLEAR_SCREEN : ''
  while (!signal.aborted) {
    await show(client, options.json === true, terminal, prefix)
    await delay(WATCH_MS, undefined, { signal }).catch(() => undefined)
  }
}

export function statusText(status: ServerStatus): string {
  const { throughput, log, replication, replicas } = status
  const lines = [
    alignedTable([
      ['server', `${status.name} (${status.role}), version ${status.version}`],
      ['health', healthText(status)],
      ['position', status.position],
      ['last commit', status.lastCommitAt ?? 'none'],
      ['up', formatSeconds(status.uptimeSeconds)],
      [
        'throughput',
        `${formatCount(Math.round(throughput.transactionsPerSecond))} transactions/s, ` +
          `${formatBytes(Math.round(throughput.logBytesPerSecond))}/s of log, ${formatCount(Math.round(throughput.syncsPerSecond))} syncs/s`,
      ],
      ['log', `${formatBytes(Number(log.bytes))}, from LSN ${BigInt(log.trimFloor) + 1n} to ${status.lsn}`],
    ]),
  ]
  if (replication !== undefined) {
    const heard = replication.silenceMs === null ? 'never heard of' : `heard of ${replication.silenceMs} ms ago`
    lines.push(
      '',
      `follows ${replication.from}: ${replication.state}, at LSN ${replication.primaryLsn}, ${heard}, ` +
        `${formatCount(replication.reconnects)} reconnects`,
    )
    if (replication.error !== null) lines.push(`last error: ${replication.error.code}: ${replication.error.message}`)
    lines.push(stagesTable([{ label: 'this server', stages: replication }]))
  }
  if (replicas !== undefined && replicas.length > 0) {
    const rows = replicas.map((replica) => ({
      label: `${replica.name} ${replica.connected ? '' : '(away) '}${replica.address}`,
      stages: replica,
    }))
    lines.push('', stagesTable(rows))
    lines.push(
      '',
      alignedTable([
        ['delay until applied', 'last', 'p50', 'p99', 'max'],
        ...replicas.map(({ name, delayMs }) => [
          name,
          ...[delayMs.last, delayMs.p50, delayMs.p99, delayMs.max].map((ms) => `${Number(ms.toFixed(2))} ms`),
        ]),
      ]),
    )
  } else if (replicas !== undefined) {
    lines.push('', 'no replicas')
  }
  const facts = operationFacts(status)
  if (facts.length > 0) lines.push('', alignedTable(facts.map((fact) => [fact.label, markedText(fact)])))
  return lines.join('\n')
}

/** What asks for something is told from the rest without colours. */
function markedText({ level, text }: Fact): string {
  return level === 'good' ? text : `${LEVELS[level].mark} ${text}`
}

function healthText({ healthy, ready, problem }: ServerStatus): string {
  const state = healthy ? (ready ? 'healthy' : 'healthy, not ready') : 'not healthy'
  return problem === null ? state : `${state}: ${problem}`
}

function stagesTable(rows: readonly { readonly label: string; readonly stages: ReplicaStages }[]): string {
  return alignedTable([
    ['replica', 'stage', 'LSN', 'transactions behind', 'bytes behind', 'seconds behind'],
    ...rows.flatMap(({ label, stages }) => [
      stageRow(label, 'received', stages.received),
      stageRow('', 'durable', stages.durable),
      stageRow('', 'applied', stages.applied),
    ]),
  ])
}

function stageRow(label: string, stage: string, { lsn, lag }: StageStatus): string[] {
  return [
    label,
    stage,
    lsn,
    formatCount(lag.transactions),
    formatBytes(lag.bytes),
    String(Number(lag.seconds.toFixed(3))),
  ]
}
