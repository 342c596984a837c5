/**
 * What replog must reach, and whether published results say that it does. A row without a result is not measured; nothing
 * is taken from anywhere else.
 */
import { formatBytes, formatCount } from '../../table-text.js'
import type { Reader } from '../changes/report.js'
import { type PublishedResult, findIn } from './results.js'

export interface Verdict {
  readonly measured: string
  /** Name of the result. */
  readonly from: string
  /** Null for what is only reported. */
  readonly met: boolean | null
}

export interface Target {
  /** Heading of its note, when there is one. */
  readonly id: string
  readonly what: string
  readonly atLeast: string
  readonly judge: (results: readonly PublishedResult[]) => Verdict | undefined
}

const MANY = 1000
const THROUGHPUT_MIN = 100_000
const CEILING_SHARE_MIN = 0.5
const ALONE_SHARE_MIN = 0.9
const TWO_PHASE_MIN = 1.8
const SYNCS_MAX = 0.01
const SESSIONS_RATIO_MIN = 1.5
const SESSIONS_ALONE_RATIO_MIN = 0.8
const BLADES_RATIO_MIN = 10
const BLADES_KEPT_MIN = 0.7
const DELAY_MS_MAX = 250
const APPLIED_AFTER_MS_MAX = 1000
const HTTP_CONNECTIONS = 64
const HTTP_RATIO_MIN = 0.5
const APPLY_RATIO_MIN = 1.5
const BEHIND_TRANSACTIONS = 1_000_000
const CLONE_BYTES = 5 * 1024 ** 3
const CLONE_P99_MAX = 2
const CLONE_MEMORY_MAX = 300 * 1024 ** 2
const CHANGES_MIN = 300_000
const STREAMED_MIN = 300_000
const STREAMED_LINES_MIN = 100_000
const STREAMED_LONG = 10_000_000
const GROWTH_MAX = 1.25
const GROWN = 10_000_000
const FULL_RUNS = 23_000_000

export const TARGETS: readonly Target[] = [
  {
    id: 'embedded-1000',
    what: 'embedded one-row inserts with one index, 1,000 concurrent committers, all guarantees on',
    atLeast: '100,000 durable transactions/s and 0.5 × the bare chained-batch ceiling',
    judge: (results) => {
      const cell = commitCell(results, MANY)
      if (cell === undefined) return undefined
      const { throughput, ratioToCeiling } = cell.found
      return {
        measured: `${perSecond(throughput.median)} transactions/s, ${ratioToCeiling.median} × the ceiling`,
        from: cell.name,
        met: throughput.median >= THROUGHPUT_MIN && ratioToCeiling.median >= CEILING_SHARE_MIN,
      }
    },
  },
  {
    id: 'embedded-1',
    what: 'the same, 1 committer',
    atLeast: '0.9 × a bare synced LevelDB batch',
    judge: (results) => {
      const cell = commitCell(results, 1)
      if (cell === undefined) return undefined
      const { throughput, ratioToCeiling } = cell.found
      return {
        measured: `${ratioToCeiling.median} × (${perSecond(throughput.median)} transactions/s)`,
        from: cell.name,
        met: ratioToCeiling.median >= ALONE_SHARE_MIN,
      }
    },
  },
  {
    id: 'two-phase',
    what: 'batch against 2pc (ungrouped), 1 committer, real device',
    atLeast: '1.8 ×',
    judge: (results) => {
      const gain = fsyncGain(results, '2pc', 0)
      const ratio = gain?.found.aloneRatio
      if (gain === undefined || ratio === null || ratio === undefined) return undefined
      return { measured: `${ratio} ×`, from: gain.name, met: ratio >= TWO_PHASE_MIN }
    },
  },
  {
    id: 'two-phase-grouped',
    what: 'batch against 2pc-grouped, best of each, real device, and with syncs that take 1 and 5 ms longer',
    atLeast: 'reported',
    judge: (results) => {
      const gains = [0, 1000, 5000].map((delayUs) => ({ delayUs, gain: fsyncGain(results, '2pc-grouped', delayUs) }))
      const known = gains.flatMap(({ delayUs, gain }) => (gain === undefined ? [] : [{ delayUs, ...gain }]))
      const [first] = known
      if (first === undefined) return undefined
      const texts = known.map(
        ({ delayUs, found }) => `${found.bestRatio} × ${delayUs === 0 ? 'as it is' : `with ${delayUs / 1000} ms`}`,
      )
      return { measured: texts.join(', '), from: first.name, met: null }
    },
  },
  {
    id: 'syncs',
    what: 'syncs per transaction, 1,000 committers',
    atLeast: 'under 0.01',
    judge: (results) => {
      const cell = commitCell(results, MANY)
      if (cell === undefined) return undefined
      const { syncsPerTransaction } = cell.found
      return { measured: String(syncsPerTransaction), from: cell.name, met: syncsPerTransaction < SYNCS_MAX }
    },
  },
  {
    id: 'sessions-64',
    what:
      'one-row insert transactions over sessions (one table, one index, nothing hot), 64 clients, against PostgreSQL 15 ' +
      'and MariaDB 10.11 with durable settings',
    atLeast: '1.5 × the better one',
    judge: (results) => {
      const both = findIn(results, 'commit-remote', ({ ratios }) => {
        const at = ratios.filter(({ clients }) => clients === 64)
        return at.length < 2 ? undefined : at
      })
      if (both === undefined) return undefined
      const texts = both.found.map(({ peer, ratio }) => `${ratio.median} × ${peer}`)
      // Against the better one the ratio is the lower one.
      const met = both.found.every(({ ratio }) => ratio.median >= SESSIONS_RATIO_MIN)
      return { measured: texts.join(', '), from: both.name, met }
    },
  },
  {
    id: 'sessions-1',
    what: 'the same, 1 client, against PostgreSQL',
    atLeast: '0.8 ×',
    judge: (results) => {
      const one = findIn(results, 'commit-remote', ({ ratios }) =>
        ratios.find(({ clients, peer }) => clients === 1 && peer === 'postgres'),
      )
      if (one === undefined) return undefined
      const { median } = one.found.ratio
      return { measured: `${median} ×`, from: one.name, met: median >= SESSIONS_ALONE_RATIO_MIN }
    },
  },
  {
    id: 'blades-peer',
    what: 'rotating blades, 1,000 clients, replica attached, against MariaDB 10.11 without a replica',
    atLeast: '10 ×',
    judge: (results) => {
      const ratio = findIn(results, 'rotating-blades', ({ ratios, settings }) =>
        settings.peerReplica ? undefined : ratios.find(({ peer, clients }) => peer === 'mariadb' && clients === MANY),
      )
      if (ratio === undefined) return undefined
      const { ratio: value, runsPerSecond, peerRunsPerSecond } = ratio.found
      return {
        measured: `${value} × (${perSecond(runsPerSecond)} and ${perSecond(peerRunsPerSecond)} runs/s)`,
        from: ratio.name,
        met: value >= BLADES_RATIO_MIN,
      }
    },
  },
  {
    id: 'blades-8000',
    what: 'rotating blades, 8,000 clients against 1,000 clients of our own',
    atLeast: '0.7 ×',
    judge: (results) => {
      const pair = findIn(results, 'rotating-blades', ({ points }) => {
        const of = (count: number): number | undefined => points.find(({ clients }) => clients === count)?.runsPerSecond
        const [few, many] = [of(MANY), of(8 * MANY)]
        return few === undefined || many === undefined ? undefined : { few, many }
      })
      if (pair === undefined) return undefined
      const { few, many } = pair.found
      const ratio = Number((many / few).toFixed(3))
      return {
        measured: `${ratio} × (${perSecond(many)} and ${perSecond(few)} runs/s)`,
        from: pair.name,
        met: ratio >= BLADES_KEPT_MIN,
      }
    },
  },
  {
    id: 'replica-delay',
    what: 'replica delay in that run',
    atLeast: 'p99 under 250 ms; everything applied within 1 s of the last commit',
    judge: (results) => {
      const run = findIn(results, 'rotating-blades', ({ points }) => {
        const judged = points.filter(({ clients }) => clients >= MANY)
        return judged.length === 0 ? undefined : judged
      })
      if (run === undefined) return undefined
      const p99Ms = Math.max(...run.found.map(({ delay }) => delay.p99Ms))
      const appliedMs = Math.max(...run.found.map(({ appliedAfterMs }) => appliedAfterMs))
      return {
        measured: `p99 ${p99Ms} ms, applied after ${appliedMs} ms, at the number of clients where each is worst`,
        from: run.name,
        met: p99Ms < DELAY_MS_MAX && appliedMs <= APPLIED_AFTER_MS_MAX,
      }
    },
  },
  {
    id: 'http',
    what: 'one-shot HTTP transactions, 64 connections',
    atLeast: '0.5 × the empty Fastify route',
    judge: (results) => {
      const row = findIn(results, 'http', ({ http }) => {
        const found = http.find(({ connections, ratio }) => connections === HTTP_CONNECTIONS && ratio !== null)
        return found?.ratio === null || found === undefined ? undefined : { ...found, ratio: found.ratio }
      })
      if (row === undefined) return undefined
      const { ratio, requestsPerSecond } = row.found
      return {
        measured: `${ratio.median} × (${perSecond(requestsPerSecond.median)} transactions/s)`,
        from: row.name,
        met: ratio.median >= HTTP_RATIO_MIN,
      }
    },
  },
  {
    id: 'apply',
    what: "replica apply against the primary's commit rate",
    atLeast: '1.5 ×',
    judge: (results) => {
      const apply = findIn(results, 'apply', (report) => report)
      if (apply === undefined) return undefined
      const { ratio, replica, commit } = apply.found
      return {
        measured:
          `${ratio.replica.median} × over a socket (${perSecond(replica.throughput.median)} and ` +
          `${perSecond(commit.throughput.median)} transactions/s), ${ratio.applier.median} × by the applier alone`,
        from: apply.name,
        met: ratio.replica.median >= APPLY_RATIO_MIN,
      }
    },
  },
  {
    id: 'behind',
    what: 'a replica that is 1,000,000 transactions behind catches up',
    atLeast: '1.5 × as fast as they were committed',
    judge: (results) => {
      const apply = findIn(results, 'apply', (report) =>
        report.settings.transactions >= BEHIND_TRANSACTIONS ? report : undefined,
      )
      if (apply === undefined) return undefined
      const { ratio, settings } = apply.found
      return {
        measured: `${ratio.replica.median} × with ${formatCount(settings.transactions)} transactions`,
        from: apply.name,
        met: ratio.replica.median >= APPLY_RATIO_MIN,
      }
    },
  },
  {
    id: 'clone-p99',
    what: 'p99 of commits while 5 GB are copied and 2,000 transactions/s go on',
    atLeast: 'at most 2 × of that before',
    judge: (results) => {
      const clone = cloneOf(results)
      if (clone === undefined) return undefined
      const { p99Ratio, alone, meanwhile } = clone.found
      return {
        measured: `${p99Ratio ?? '?'} × (${meanwhile.latency?.p99Ms ?? '?'} and ${alone.latency?.p99Ms ?? '?'} ms); killed midway, it went on, and ended equal by digest`,
        from: clone.name,
        met: p99Ratio !== null && p99Ratio <= CLONE_P99_MAX,
      }
    },
  },
  {
    id: 'clone-memory',
    what: 'memory while it is copied',
    atLeast: 'under 300 MiB on both sides',
    judge: (results) => {
      const clone = cloneOf(results)
      if (clone === undefined) return undefined
      const { primary, copy } = clone.found.memory
      return {
        measured: `${formatBytes(primary)} of the server, ${formatBytes(copy)} of the copy`,
        from: clone.name,
        met: primary < CLONE_MEMORY_MAX && copy < CLONE_MEMORY_MAX,
      }
    },
  },
  {
    id: 'log',
    what: 'reading the log back, decoded rows',
    atLeast: '300,000 changes/s',
    judge: (results) => {
      const logs = findIn(results, 'scan', ({ series }) => {
        const read = series.filter(({ reading }) => reading === 'log')
        return read.length === 0 ? undefined : read
      })
      if (logs === undefined) return undefined
      const texts = logs.found.map(
        ({ perSecond: { median }, rowsPerTransaction }) =>
          `${perSecond(median)}/s with ${rowsPerTransaction} row${rowsPerTransaction === 1 ? '' : 's'} in each transaction`,
      )
      return {
        measured: texts.join(', '),
        from: logs.name,
        met: logs.found.every(({ perSecond: { median } }) => median >= CHANGES_MIN),
      }
    },
  },
  {
    id: 'changes',
    what: 'a change stream read with `for await`, decoded',
    atLeast: '300,000 changes/s',
    judge: (results) => streamed(results, 'embedded', STREAMED_MIN),
  },
  {
    id: 'changes-ndjson',
    what: 'the same as NDJSON over HTTP, from a server in a process of its own',
    atLeast: '100,000 changes/s',
    judge: (results) => streamed(results, 'ndjson', STREAMED_LINES_MIN),
  },
  {
    id: 'changes-memory',
    what: 'memory while 10,000,000 changes are read',
    atLeast: 'at most 1.25 × of that of the first fifth',
    judge: (results) => {
      const read = findIn(results, 'changes', ({ memory }) => (memory.changes >= STREAMED_LONG ? memory : undefined))
      if (read === undefined) return undefined
      const { early, late, ratio } = read.found
      return {
        measured: `${ratio} × (${formatBytes(late)} and ${formatBytes(early)})`,
        from: read.name,
        met: ratio <= GROWTH_MAX,
      }
    },
  },
  {
    id: 'growth',
    what: 'commit p50 and open time at 10^7 transactions against 10^4',
    atLeast: 'within 1.25 ×',
    judge: (results) => {
      const grown = findIn(results, 'open', ({ points }) => points.find(({ transactions }) => transactions >= GROWN))
      if (grown === undefined) return undefined
      const { commitP50Ms, openMs, programMs, openAfterKillMs } = grown.found.ratioToFirst
      return {
        measured: `commit ${commitP50Ms} ×, open ${openMs} × (after a kill ${openAfterKillMs} ×; start of the program ${programMs} ×)`,
        from: grown.name,
        met: commitP50Ms <= GROWTH_MAX && openMs <= GROWTH_MAX,
      }
    },
  },
  {
    id: 'blades-full',
    what: 'the full 23,000,000 runs with 1,000 clients end with `fans` = 23000000 on both servers',
    atLeast: 'both',
    judge: (results) => {
      const full = findIn(results, 'rotating-blades', ({ points }) =>
        points.find(({ clients, runs }) => clients === MANY && runs >= FULL_RUNS),
      )
      if (full === undefined) return undefined
      const { runs, problems, runsPerSecond } = full.found
      return {
        measured:
          problems.length === 0
            ? `${formatCount(runs)} runs, \`fans\` = ${runs} on both, ${perSecond(runsPerSecond)} runs/s`
            : problems.join('; '),
        from: full.name,
        met: problems.length === 0,
      }
    },
  },
]

/** Judged with one row in each transaction, which is the hardest. */
function streamed(results: readonly PublishedResult[], reader: Reader, least: number): Verdict | undefined {
  const read = findIn(results, 'changes', ({ series }) => {
    const own = series.filter((one) => one.reader === reader)
    return own.length === 0 ? undefined : own
  })
  if (read === undefined) return undefined
  const texts = read.found.map(
    ({ perSecond: { median }, rowsPerTransaction }) =>
      `${perSecond(median)}/s with ${rowsPerTransaction} row${rowsPerTransaction === 1 ? '' : 's'} in each transaction`,
  )
  const met = read.found.every(({ perSecond: { median } }) => median >= least)
  return { measured: texts.join(', '), from: read.name, met }
}

function cloneOf(results: readonly PublishedResult[]) {
  return findIn(results, 'clone', (report) => (report.settings.bytes >= CLONE_BYTES ? report : undefined))
}

function commitCell(results: readonly PublishedResult[], committers: number) {
  return findIn(results, 'commit', ({ cells }) => {
    const cell = cells.find((one) => one.series === 'one-shot' && one.committers === committers)
    const ratioToCeiling = cell?.ratioToCeiling
    return cell === undefined || ratioToCeiling === null || ratioToCeiling === undefined
      ? undefined
      : { ...cell, ratioToCeiling }
  })
}

function fsyncGain(results: readonly PublishedResult[], mode: '2pc' | '2pc-grouped', delayUs: number) {
  return findIn(results, 'fsync', ({ gains }) => gains.find((gain) => gain.mode === mode && gain.delayUs === delayUs))
}

function perSecond(value: number): string {
  return formatCount(Math.round(value))
}
