/** The states of a replica's link as a total table: a missing cell does not compile. */
import type { FollowState } from '../log/status.js'

export type FollowEvent =
  /** The link is up and the primary is ahead. */
  | 'behind'
  /** Everything that the primary is known to have is applied, or not due yet on a replica that is kept behind. */
  | 'caught up'
  /** The link is up and an operator has paused the replica: it receives and applies nothing. */
  | 'held'
  /** The link broke or could not be made; it is tried again. */
  | 'lost'
  /** An error that trying again cannot mend. */
  | 'fatal'
  /** An operator wants it tried again all the same. */
  | 'restart'
  /** The server closes. */
  | 'close'

export const FOLLOW_STATES: Readonly<Record<FollowState, Readonly<Record<FollowEvent, FollowState>>>> = {
  connecting: {
    behind: 'catching up',
    'caught up': 'streaming',
    held: 'paused',
    lost: 'connecting',
    fatal: 'stopped',
    restart: 'connecting',
    close: 'stopped',
  },
  'catching up': {
    behind: 'catching up',
    'caught up': 'streaming',
    held: 'paused',
    lost: 'connecting',
    fatal: 'stopped',
    restart: 'connecting',
    close: 'stopped',
  },
  streaming: {
    behind: 'streaming',
    'caught up': 'streaming',
    held: 'paused',
    lost: 'connecting',
    fatal: 'stopped',
    restart: 'connecting',
    close: 'stopped',
  },
  paused: {
    behind: 'catching up',
    'caught up': 'streaming',
    held: 'paused',
    lost: 'connecting',
    fatal: 'stopped',
    restart: 'connecting',
    close: 'stopped',
  },
  stopped: {
    behind: 'stopped',
    'caught up': 'stopped',
    held: 'stopped',
    lost: 'stopped',
    fatal: 'stopped',
    restart: 'connecting',
    close: 'stopped',
  },
}
