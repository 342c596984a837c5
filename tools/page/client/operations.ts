/**
 * What operators have set up or have to look after on a server, beside its figures: who may write, what of the log is
 * kept and for whom, what is known of the soundness of the copy, copies under way, orders given to a replica.
 *
 * The page and `replog status` show the same facts. One that is as it should be is `good` and short; one that asks for
 * something says what. Each line that is not good has its entry in docs/OPERATIONS.md.
 */
import type { ReplicationStatus, ServerStatus } from '../../../log/status.js'
import type { PublisherStatus } from '../../../log/nats/publisher.js'
import { bytesQuantity, formatCount, formatSpan, quantityText } from './format.js'
import type { Level } from './health.js'

export interface Fact {
  readonly label: string
  readonly text: string
  readonly level: Level
}

/** Faults of publishing that do not pass by themselves. */
const NEEDS_OPERATOR: ReadonlySet<string> = new Set(['FENCED', 'DIVERGED', 'FOREIGN_CLUSTER', 'PROTOCOL'])

/** In the order of their weight; what a server has no part in is left out. */
export function operationFacts(status: ServerStatus): Fact[] {
  const facts: (Fact | undefined)[] = [
    writes(status),
    acknowledgement(status),
    ...(status.replication === undefined ? [] : orders(status.replication)),
    election(status),
    logKept(status),
    holdsBack(status),
    ...leftBehind(status),
    marker(status),
    scrub(status),
    ...copies(status),
    changeReaders(status),
    ...nats(status),
  ]
  return facts.filter((fact) => fact !== undefined)
}

function writes({ writes: taking, fencedBy }: ServerStatus): Fact | undefined {
  if (fencedBy != null) {
    const where = fencedBy.primary === null ? '' : ` at ${fencedBy.primary}`
    return action('Writes', `refused: fenced by epoch ${fencedBy.epoch} of the primary${where}`)
  }
  if (taking === undefined) return undefined
  const { minReplicas, connectedReplicas } = taking
  if (!taking.taken) return action('Writes', `refused: ${taking.code ?? ''} ${taking.problem ?? ''}`.trim())
  if (minReplicas === 0) return good('Writes', 'taken')
  return good('Writes', `taken while ${replicas(minReplicas)} connected; ${connectedReplicas} are`)
}

function acknowledgement({ acknowledgement: ack }: ServerStatus): Fact | undefined {
  if (ack === undefined || (ack.level === 'local' && ack.timeouts === 0)) return undefined
  const promise = ack.level === 'local' ? 'when durable here' : `when ${ack.level} on ${replicas(ack.replicas)}`
  const text = `commits are answered ${promise}`
  if (ack.degradedSince !== null) {
    return attention('Acknowledgement', `degraded since ${ack.degradedSince}: ${text}`)
  }
  return good('Acknowledgement', ack.timeouts === 0 ? text : `${text}; ${formatCount(ack.timeouts)} timed out`)
}

function orders(replication: ReplicationStatus): (Fact | undefined)[] {
  const { chain = [], paused, delayMs = 0, only, refusedLsn, skipped = [] } = replication
  return [
    paused == null ? undefined : attention('Paused', `by ${paused.by} since ${paused.since}: ${paused.reason}`),
    delayMs === 0 ? undefined : good('Delayed', `kept ${formatSpan(delayMs / 1000)} behind on purpose`),
    only == null ? undefined : good('Filter', `holds rows of ${only.join(', ')} only`),
    chain.length < 2
      ? undefined
      : good('Chain', `the primary is ${chain.length} hops away; lag is measured against it`),
    refusedLsn == null ? undefined : action('Refused', `LSN ${refusedLsn} cannot be applied here`),
    ...skipped.map(({ lsn, by, at, reason }) =>
      action('Diverged by skip', `LSN ${lsn}, skipped by ${by} at ${at}: ${reason}`),
    ),
  ]
}

function election({ failover }: ServerStatus): Fact | undefined {
  if (failover === undefined) return undefined
  const { step, since, abandoned } = failover
  return abandoned
    ? attention('Failover', `no primary: ${step}, since ${since}`)
    : good('Failover', `${step}, ${since}`)
}

function nats({ nats: link, lsn }: ServerStatus): (Fact | undefined)[] {
  if (link === undefined) return []
  const { connected, error, feed, publisher, changes } = link
  if (!connected) {
    const instead = feed === 'direct' ? '; frames come over the direct link' : ''
    return [attention('NATS', `not connected${instead}: ${error === null ? 'it is tried' : error.message}`)]
  }
  if (feed === 'direct') return [attention('NATS', 'the stream does not reach back; frames come over the direct link')]
  return [
    feed === undefined ? undefined : good('NATS', 'frames come from the stream'),
    publisher && published('NATS', publisher, lsn),
    changes && published('NATS changes', changes, undefined),
  ]
}

function published(label: string, publisher: PublisherStatus, lsn: string | undefined): Fact {
  const { publishing, publishedLsn, refills, error } = publisher
  if (error !== null) {
    const text = `not published since LSN ${publishedLsn}: ${error.code} ${error.message}`
    return NEEDS_OPERATOR.has(error.code) ? action(label, text) : attention(label, text)
  }
  if (!publishing) return attention(label, 'the stream is looked at')
  const behind = lsn === undefined ? 0 : Math.max(0, Number(BigInt(lsn) - BigInt(publishedLsn)))
  const late = behind === 0 ? '' : `, ${formatCount(behind)} transactions behind`
  const filled = refills === 0 ? '' : `; filled again ${refills === 1 ? 'once' : `${formatCount(refills)} times`}`
  return good(label, `published up to LSN ${publishedLsn}${late}${filled}`)
}

function logKept({ logPurge }: ServerStatus): Fact | undefined {
  if (logPurge === undefined) return undefined
  const { floorTime, storedBytes, keepAgeMs, keepBytes, bytesMax, running, deleting } = logPurge
  const bounds = [
    keepAgeMs === null ? undefined : `for ${formatSpan(keepAgeMs / 1000)}`,
    keepBytes === null ? undefined : `up to ${size(keepBytes)}`,
    bytesMax === null ? undefined : `never beyond ${size(bytesMax)}`,
  ].filter((bound) => bound !== undefined)
  const begins = floorTime === null ? 'from LSN 1' : `since ${floorTime}`
  const kept = bounds.length === 0 ? 'kept for good' : `kept ${bounds.join(', ')}`
  const purging = running || deleting ? '; purging' : ''
  return good('Log', `${size(storedBytes)} ${begins}, ${kept}${purging}`)
}

function holdsBack({ logPurge, lsn }: ServerStatus): Fact | undefined {
  const holder = logPurge?.holders.find(({ lost }) => !lost)
  if (holder === undefined) return undefined
  const behind = BigInt(lsn) - BigInt(holder.lsn)
  if (behind <= 0n) return undefined
  return good('Log held for', `${holder.name}, which has ${formatCount(behind)} transactions to come`)
}

function leftBehind({ logPurge }: ServerStatus): Fact[] {
  const lost = logPurge?.holders.filter((holder) => holder.lost) ?? []
  return lost.map(({ name, lsn }) =>
    action('Left behind', `${name} needs the log from behind LSN ${lsn}, which is purged`),
  )
}

function marker({ verification, role }: ServerStatus): Fact | undefined {
  const point = verification?.marker
  if (point == null) return undefined
  const what = role === 'primary' ? 'counts written' : 'counts equal the primary’s'
  return good('Verified', `${what} at LSN ${formatCount(point.lsn)}, ${point.at}`)
}

function scrub({ verification }: ServerStatus): Fact | undefined {
  const state = verification?.scrub
  if (state == null) return undefined
  if (state.flawsFound > 0) {
    const first = state.last?.flaws[0]
    const example = first === undefined ? '' : `, the first: ${first.message}`
    return action('Scrub', `${formatCount(state.flawsFound)} flaws found${example}`)
  }
  if (state.running)
    return good('Scrub', `${Math.floor(100 * state.share)} % of a pass done, at ${state.at ?? 'its end'}`)
  if (state.last === null) return undefined
  return good('Scrub', `${formatCount(state.last.rows)} rows sound at ${state.last.finishedAt}`)
}

function copies({ copies: sent = [] }: ServerStatus): Fact[] {
  return sent.map(({ name, bytesSent, bytesEstimate }) =>
    good('Copy', `${name}: ${size(bytesSent)} of about ${size(bytesEstimate)}`),
  )
}

function changeReaders({ changeReaders: streams }: ServerStatus): Fact | undefined {
  if (streams === undefined || (streams.open === 0 && streams.cut === 0)) return undefined
  const { open, cut, readers } = streams
  const behind = readers[0]?.lagTransactions ?? 0
  const late = behind === 0 ? '' : `, the farthest ${formatCount(behind)} transactions behind`
  const slow = cut === 0 ? '' : `; ${formatCount(cut)} cut because they took nothing`
  return good('Change streams', `${formatCount(open)} open over HTTP${late}${slow}`)
}

function size(bytes: number | string): string {
  return quantityText(bytesQuantity(bytes))
}

function replicas(count: number): string {
  return count === 1 ? '1 replica' : `${count} replicas`
}

function good(label: string, text: string): Fact {
  return { label, text, level: 'good' }
}

function attention(label: string, text: string): Fact {
  return { label, text, level: 'attention' }
}

function action(label: string, text: string): Fact {
  return { label, text, level: 'action' }
}
