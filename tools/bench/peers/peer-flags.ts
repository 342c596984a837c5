/** The flags that name peers: the same for every benchmark that measures beside them. */
import { type Command, InvalidArgumentError } from 'commander'
import { nearest } from '../../../ddl/nearest.js'
import { listOf } from '../../flags.js'
import { PEER_NAMES, type PeerName } from './peer.js'

export interface PeerFlags {
  readonly peer?: readonly PeerName[]
  readonly peerReplica?: boolean
}

export function addPeerFlags(command: Command): Command {
  return addPeerListFlag(command).option('--peer-replica', 'attach a replica to each peer')
}

export function addPeerListFlag(command: Command): Command {
  return command.option(
    '--peer <list>',
    `the same load on ${PEER_NAMES.join(' or ')}, or both (mariadb,postgres), with durable settings; ` +
      'npm run install-peers installs them',
    listOf(peerName),
  )
}

function peerName(text: string): PeerName {
  const found = PEER_NAMES.find((name) => name === text)
  if (found !== undefined) return found
  throw new InvalidArgumentError(
    `There is no peer ${JSON.stringify(text)}${nearest(text, PEER_NAMES)}; there are: ${PEER_NAMES.join(', ')}.`,
  )
}
