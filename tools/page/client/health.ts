/**
 * Good, attention or action needed: how a server and a link are judged. One place holds the rule, the mark, the word
 * and the sentence that explains it, so that what the page says about its colours is what it does.
 */
import type { FollowerStatus, ReplicationStatus, ServerStatus } from '../../../log/status.js'
import { formatSpan, quantityText, secondsQuantity } from './format.js'

export type Level = 'good' | 'attention' | 'action'

export interface Health {
  readonly level: Level
  /** One or two words, shown beside the mark. */
  readonly word: string
  /** Why, as a sentence; empty when the word says it all. */
  readonly reason: string
}

/** A replica that shows the primary's commits later than this needs attention. */
export const LAG_SECONDS_GOOD_MAX = 1

export const LEVELS: Readonly<
  Record<Level, { readonly mark: string; readonly word: string; readonly meaning: string }>
> = {
  good: {
    mark: '●',
    word: 'Good',
    meaning: `The server does its work. A replica shows what its primary commits within ${LAG_SECONDS_GOOD_MAX} second.`,
  },
  attention: {
    mark: '▲',
    word: 'Attention',
    meaning: `Not ready yet, connecting again, or more than ${LAG_SECONDS_GOOD_MAX} second behind. It mends itself; look into it when it stays.`,
  },
  action: {
    mark: '■',
    word: 'Action needed',
    meaning: 'Unreachable, failed, replication stopped, or a replica gone. The text beside the mark says why.',
  },
}

const ORDER: readonly Level[] = ['good', 'attention', 'action']

export function worstOf(levels: readonly Level[]): Level {
  return ORDER[Math.max(0, ...levels.map((level) => ORDER.indexOf(level)))]!
}

export function unreachableHealth(reason: string): Health {
  return { level: 'action', word: 'unreachable', reason: sentence(reason) }
}

/** What was said by a server that cannot be asked any more. */
export function lastKnownHealth(teller: string): Health {
  return { level: 'attention', word: 'not known', reason: `${teller}, which knows it, is unreachable.` }
}

/** A server by what it says of itself. */
export function serverHealth(status: ServerStatus): Health {
  if (!status.healthy) return { level: 'action', word: 'failed', reason: sentence(status.problem ?? '') }
  if (!status.ready) return { level: 'attention', word: 'not ready', reason: sentence(status.problem ?? '') }
  if (status.replication !== undefined) return replicationHealth(status.replication)
  return { level: 'good', word: 'serving', reason: '' }
}

/** A replica's link by what the replica says of it. */
export function replicationHealth(replication: ReplicationStatus): Health {
  const { state, applied, error } = replication
  const why = error === null ? '' : sentence(`${error.code}: ${error.message}`)
  if (state === 'stopped') return { level: 'action', word: 'stopped', reason: why }
  if (replication.paused != null) {
    const { by, reason } = replication.paused
    return { level: 'attention', word: 'paused', reason: sentence(`by ${by}: ${reason}`) }
  }
  if (state === 'connecting') return { level: 'attention', word: 'connecting', reason: why }
  if (applied.lag.seconds > LAG_SECONDS_GOOD_MAX) {
    return { level: 'attention', word: state, reason: behind(applied.lag.seconds) }
  }
  return { level: 'good', word: state, reason: '' }
}

/** A replica's link by what its primary says of it. */
export function followerHealth(follower: FollowerStatus, sinceSeconds: number): Health {
  const { connected, applied } = follower
  if (!connected) {
    const reason = `The link broke ${formatSpan(sinceSeconds)} ago; the replica comes back by itself when it runs.`
    return { level: 'action', word: 'disconnected', reason }
  }
  if (applied.lag.seconds > LAG_SECONDS_GOOD_MAX) {
    return { level: 'attention', word: 'catching up', reason: behind(applied.lag.seconds) }
  }
  return { level: 'good', word: 'streaming', reason: '' }
}

function behind(seconds: number): string {
  return `Readers see the state of ${quantityText(secondsQuantity(seconds))} ago.`
}

/** With a capital letter and a full stop, as messages of errors have neither. */
function sentence(text: string): string {
  if (text === '') return ''
  const capital = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(capital) ? capital : `${capital}.`
}
