/**
 * What a run took of the machine: syncs and processor time of each server, processor time of the load. It says where the
 * limit is, and whether the machine was the benchmark's alone: the share of the processors that it got.
 */
import { ReplogError } from '../../../core/errors.js'
import type { HttpClient } from '../../http-client.js'
import { rounded } from '../samples.js'

/** Of one server since its start. */
export interface ServerUsage {
  readonly syncs: number
  readonly cpuSeconds: number
}

export interface PairUsage {
  readonly primary: ServerUsage
  readonly replica: ServerUsage
}

export interface SyncReport {
  readonly primary: number
  readonly replica: number
  readonly primaryPerRun: number
}

export interface CpuReport {
  readonly primarySeconds: number
  readonly replicaSeconds: number
  /** Of all load processes. */
  readonly loadSeconds: number
  /** Of one processor, that a load process used on the average: near 1, the load itself is the limit. */
  readonly loadShare: number
  /** All of these over the time of all processors: well below 1, others used the machine, or the device was waited for. */
  readonly shareOfMachine: number
}

/** @throws ReplogError of a server; PROTOCOL when it does not report its processor time */
export async function usageOf({ primary, replica }: Readonly<Record<keyof PairUsage, HttpClient>>): Promise<PairUsage> {
  const [one, other] = await Promise.all([serverUsage(primary), serverUsage(replica)])
  return { primary: one, replica: other }
}

export function syncReport(before: PairUsage, after: PairUsage, runs: number): SyncReport {
  const primary = after.primary.syncs - before.primary.syncs
  const replica = after.replica.syncs - before.replica.syncs
  return { primary, replica, primaryPerRun: rounded(primary / runs, 4) }
}

export interface MachineTime {
  /** Between the two usages. */
  readonly seconds: number
  readonly processors: number
  readonly loadProcesses: number
}

export function cpuReport(
  before: PairUsage,
  after: PairUsage,
  loadSeconds: number,
  { seconds, processors, loadProcesses }: MachineTime,
): CpuReport {
  const primary = after.primary.cpuSeconds - before.primary.cpuSeconds
  const replica = after.replica.cpuSeconds - before.replica.cpuSeconds
  return {
    primarySeconds: rounded(primary, 3),
    replicaSeconds: rounded(replica, 3),
    loadSeconds: rounded(loadSeconds, 3),
    loadShare: rounded(loadSeconds / (seconds * loadProcesses), 3),
    shareOfMachine: rounded((primary + replica + loadSeconds) / (seconds * processors), 3),
  }
}

export async function serverUsage(server: HttpClient): Promise<ServerUsage> {
  const { store } = await server.status()
  const found = /^process_cpu_seconds_total(?:\{[^}]*\})? (\S+)$/m.exec(await server.text('/metrics'))
  const cpuSeconds = Number(found?.[1])
  if (Number.isNaN(cpuSeconds)) {
    throw new ReplogError('PROTOCOL', `${server.url} does not report its processor time; check that versions match`)
  }
  return { syncs: store.syncs, cpuSeconds }
}
