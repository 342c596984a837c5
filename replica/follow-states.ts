/** The states of a replica's link as a total table: a missing cell does not compile. */
import type { FollowState } from '../log/status.js'

export type FollowEvent =
  /** The link is up and the primary is ahead. */
  | 'behind'
  /** Everything that the primary is known to have is applied. */
  | 'caught up'
  /** The link broke or could not be made; it is tried again. */
  | 'lost'
  /** An error that trying again cannot mend. */
  | 'fatal'
  /** The server closes. */
  | 'close'

export const FOLLOW_STATES: Readonly<Record<FollowState, Readonly<Record<FollowEvent, FollowState>>>> = {
  connecting: {
    behind: 'catching up',
    'caught up': 'streaming',
    lost: 'connecting',
    fatal: 'stopped',
    close: 'stopped',
  },
  'catching up': {
    behind: 'catching up',
    'caught up': 'streaming',
    lost: 'connecting',
    fatal: 'stopped',
    close: 'stopped',
  },
  streaming: {
    behind: 'streaming',
    'caught up': 'streaming',
    lost: 'connecting',
    fatal: 'stopped',
    close: 'stopped',
  },
  stopped: {
    behind: 'stopped',
    'caught up': 'stopped',
    lost: 'stopped',
    fatal: 'stopped',
    close: 'stopped',
  },
}
