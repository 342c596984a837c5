/** Every verb of `replog` and the module that holds it, loaded only when it is used, so that a command starts fast. */
import type { Verb } from './verb.js'

export interface VerbEntry {
  readonly name: string
  readonly load: () => Promise<Verb>
}

/** In the order in which the help lists them. */
export const VERBS: readonly VerbEntry[] = [
  { name: 'pair', load: async () => (await import('./pair.js')).verb },
  { name: 'primary', load: async () => (await import('./primary.js')).verb },
  { name: 'replica', load: async () => (await import('./replica.js')).verb },
  { name: 'clone', load: async () => (await import('./clone.js')).verb },
  { name: 'backup', load: async () => (await import('./backup.js')).verb },
  { name: 'restore', load: async () => (await import('./restore.js')).verb },
  { name: 'popup', load: async () => (await import('./popup.js')).verb },
  { name: 'status', load: async () => (await import('./status.js')).verb },
  { name: 'promote', load: async () => (await import('./promote.js')).verb },
  { name: 'follow', load: async () => (await import('./follow.js')).verb },
  { name: 'replication pause', load: async () => (await import('./replication-pause.js')).verb },
  { name: 'replication resume', load: async () => (await import('./replication-resume.js')).verb },
  { name: 'replication skip', load: async () => (await import('./replication-skip.js')).verb },
  { name: 'rejoin', load: async () => (await import('./rejoin.js')).verb },
  { name: 'catalogs', load: async () => (await import('./catalogs.js')).verb },
  { name: 'catalogs create', load: async () => (await import('./catalogs-create.js')).verb },
  { name: 'catalogs alter', load: async () => (await import('./catalogs-alter.js')).verb },
  { name: 'catalogs drop', load: async () => (await import('./catalogs-drop.js')).verb },
  { name: 'schemas', load: async () => (await import('./schemas.js')).verb },
  { name: 'tables', load: async () => (await import('./tables.js')).verb },
  { name: 'proto', load: async () => (await import('./proto.js')).verb },
  { name: 'types', load: async () => (await import('./types.js')).verb },
  { name: 'show-create', load: async () => (await import('./show-create.js')).verb },
  { name: 'subscriptions', load: async () => (await import('./subscriptions.js')).verb },
  { name: 'subscriptions create', load: async () => (await import('./subscriptions-create.js')).verb },
  { name: 'subscriptions ack', load: async () => (await import('./subscriptions-ack.js')).verb },
  { name: 'subscriptions reset', load: async () => (await import('./subscriptions-reset.js')).verb },
  { name: 'subscriptions drop', load: async () => (await import('./subscriptions-drop.js')).verb },
  { name: 'jobs', load: async () => (await import('./jobs.js')).verb },
  { name: 'changes', load: async () => (await import('./changes.js')).verb },
  { name: 'log dump', load: async () => (await import('./log-dump.js')).verb },
  { name: 'log tail', load: async () => (await import('./log-tail.js')).verb },
  { name: 'log purge', load: async () => (await import('./log-purge.js')).verb },
  { name: 'log archive', load: async () => (await import('./log-archive.js')).verb },
  { name: 'verify', load: async () => (await import('./verify.js')).verb },
  { name: 'repair', load: async () => (await import('./repair.js')).verb },
  { name: 'import', load: async () => (await import('./import.js')).verb },
  { name: 'bench fsync', load: async () => (await import('./bench/fsync.js')).verb },
  { name: 'bench commit', load: async () => (await import('./bench/commit.js')).verb },
  { name: 'bench http', load: async () => (await import('./bench/http.js')).verb },
  { name: 'bench apply', load: async () => (await import('./bench/apply.js')).verb },
  { name: 'bench scan', load: async () => (await import('./bench/scan.js')).verb },
  { name: 'bench changes', load: async () => (await import('./bench/changes.js')).verb },
  { name: 'bench open', load: async () => (await import('./bench/open.js')).verb },
  { name: 'bench clone', load: async () => (await import('./bench/clone.js')).verb },
  { name: 'bench all', load: async () => (await import('./bench/all.js')).verb },
  { name: 'bench catalogs', load: async () => (await import('./bench/catalogs.js')).verb },
  { name: 'bench rotating-blades', load: async () => (await import('./bench/rotating-blades.js')).verb },
]
