/**
 * What the page shows, worked out of what the polled servers say: pure, so that it is tested without a browser.
 *
 * Each server appears once. One that is polled shows its own figures; one that is only known through its partner
 * (a replica to its primary, a primary to its replica) shows what the partner knows. Each link appears once, measured
 * on the primary's clock where the primary is polled.
 */
import type { FollowerStatus, ReplicaStages, ReplicationStatus, ServerStatus } from '../../../log/status.js'
import {
  type Health,
  followerHealth,
  lastKnownHealth,
  replicationHealth,
  serverHealth,
  unreachableHealth,
} from './health.js'
import type { PollState } from './poller.js'

export interface Source extends PollState<ServerStatus> {
  readonly url: string
}

export interface ServerView {
  readonly key: string
  /** The source that these figures come from. */
  readonly url: string
  readonly name: string
  readonly role: ServerStatus['role'] | undefined
  readonly health: Health
  readonly lsn: string | undefined
  /** All figures of a server that is polled. */
  readonly status: ServerStatus | undefined
  /** The server through which this one is known, when it is not polled itself. */
  readonly knownBy: string | undefined
  /** Wall clock of the figures, when they are not of now. */
  readonly staleSinceMs: number | undefined
}

export interface LinkView {
  readonly key: string
  readonly url: string
  readonly replica: string
  readonly primary: string
  readonly health: Health
  /** Undefined when the replica has not heard of its primary yet. */
  readonly stages: ReplicaStages | undefined
  readonly measuredBy: ServerStatus['role']
  readonly follower: FollowerStatus | undefined
  readonly replication: ReplicationStatus | undefined
  readonly staleSinceMs: number | undefined
}

export interface Overview {
  readonly servers: readonly ServerView[]
  readonly links: readonly LinkView[]
}

/** The source's status where it has one. */
interface Answered {
  readonly source: Source
  readonly status: ServerStatus
}

export function overviewOf(sources: readonly Source[]): Overview {
  const answered = sources.flatMap((source) => (source.answer === undefined ? [] : [{ source, status: source.answer }]))
  const links = linksOf(answered)
  const polled = sources.map(polledServer)
  const servers = uniqueByKey([...polled, ...answered.flatMap((each) => partnersOf(each, answered))])
  return { servers: servers.sort(byRoleAndName), links }
}

function polledServer(source: Source): ServerView {
  const { url, answer: status, failure } = source
  const unreachable = failure === undefined ? undefined : unreachableHealth(failure.reason)
  const waiting: Health = { level: 'attention', word: 'asking', reason: '' }
  return {
    key: status?.serverId ?? url,
    url,
    name: status?.name ?? hostOf(url),
    role: status?.role,
    health: unreachable ?? (status === undefined ? waiting : serverHealth(status)),
    lsn: status?.lsn,
    status,
    knownBy: undefined,
    staleSinceMs: staleSince(source),
  }
}

/** The servers at the other ends of this one's links, which are not polled themselves. */
function partnersOf({ source, status }: Answered, answered: readonly Answered[]): ServerView[] {
  const known = { url: source.url, status: undefined, knownBy: status.name, staleSinceMs: staleSince(source) }
  const lost = source.failure === undefined ? undefined : lastKnownHealth(status.name)
  const views = (status.replicas ?? []).map((follower): ServerView => {
    const health = lost ?? followerHealth(follower, ageSeconds(status, follower.since))
    return { ...known, key: follower.serverId, name: follower.name, role: 'replica', health, lsn: follower.applied.lsn }
  })
  const { replication } = status
  if (replication === undefined || answered.some((other) => feeds(other.status, status))) return views
  const isHeard = replication.state !== 'connecting' && replication.state !== 'stopped'
  const heard: Health = isHeard
    ? { level: 'good', word: 'feeding', reason: '' }
    : { level: 'attention', word: 'not heard', reason: `${status.name} has no link to it.` }
  const health = lost ?? heard
  const lsn = replication.silenceMs === null ? undefined : replication.primaryLsn
  return [...views, { ...known, key: replication.from, name: hostOf(replication.from), role: 'primary', health, lsn }]
}

/** A link is told by the primary, which measures it best; by the replica where the primary does not answer. */
function linksOf(answered: readonly Answered[]): LinkView[] {
  const live = answered.filter(({ source }) => source.failure === undefined)
  const gone = answered.filter(({ source }) => source.failure !== undefined)
  const views = [live, gone].flatMap((tellers) => [
    ...tellers.flatMap((teller) => linksToldByPrimary(teller, answered)),
    ...tellers.flatMap((teller) => linkToldByReplica(teller, answered)),
  ])
  return uniqueByKey(views).sort((left, right) => (left.replica < right.replica ? -1 : 1))
}

function linksToldByPrimary({ source, status }: Answered, answered: readonly Answered[]): LinkView[] {
  return (status.replicas ?? []).map((follower): LinkView => {
    const replica = answered.find((other) => other.status.serverId === follower.serverId)
    const replication = replica?.source.failure === undefined ? replica?.status.replication : undefined
    const stopped = replication?.state === 'stopped' ? replicationHealth(replication) : undefined
    const lost = source.failure === undefined ? undefined : lastKnownHealth(status.name)
    return {
      key: follower.serverId,
      url: source.url,
      replica: replica?.status.name ?? follower.name,
      primary: status.name,
      health: lost ?? stopped ?? followerHealth(follower, ageSeconds(status, follower.since)),
      stages: follower,
      measuredBy: 'primary',
      follower,
      replication,
      staleSinceMs: staleSince(source),
    }
  })
}

function linkToldByReplica({ source, status }: Answered, answered: readonly Answered[]): LinkView[] {
  const { replication } = status
  if (replication === undefined) return []
  const primary = answered.find((other) => feeds(other.status, status))?.status
  const lost = source.failure === undefined ? undefined : lastKnownHealth(status.name)
  return [
    {
      key: status.serverId,
      url: source.url,
      replica: status.name,
      primary: primary?.name ?? hostOf(replication.from),
      health: lost ?? replicationHealth(replication),
      stages: replication.silenceMs === null ? undefined : replication,
      measuredBy: 'replica',
      follower: undefined,
      replication,
      staleSinceMs: staleSince(source),
    },
  ]
}

function feeds(primary: ServerStatus, replica: ServerStatus): boolean {
  return primary.replicas?.some(({ serverId }) => serverId === replica.serverId) ?? false
}

function staleSince({ failure, answeredMs }: Source): number | undefined {
  return failure === undefined ? undefined : answeredMs
}

/** Age of a time that the server told, on the server's own clock. */
export function ageSeconds(status: ServerStatus, iso: string): number {
  const serverNowMs = Date.parse(status.startedAt) + status.uptimeSeconds * 1000
  return Math.max(0, (serverNowMs - Date.parse(iso)) / 1000)
}

/** "127.0.0.1:7400" of a URL; the text itself when it is none. */
export function hostOf(url: string): string {
  return /^[a-z]+:\/\/([^/]+)/i.exec(url)?.[1] ?? url
}

/** The first view of a key wins. */
function uniqueByKey<View extends { readonly key: string }>(views: readonly View[]): View[] {
  return [...new Map(views.toReversed().map((view) => [view.key, view])).values()]
}

function byRoleAndName(left: ServerView, right: ServerView): number {
  const rank = ({ role }: ServerView): number => (role === 'primary' ? 0 : role === 'replica' ? 1 : 2)
  return rank(left) - rank(right) || (left.name < right.name ? -1 : 1)
}
