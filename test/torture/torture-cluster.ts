/**
 * Three servers as processes of the built program, a bad network between them, and an operator who replaces the primary
 * when it is lost: the most advanced replica is promoted, the others follow it, and the old primary rejoins.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { ServerStatus } from '../../log/status.js'
import { openDataDirectory } from '../../store/data-directory.js'
import { type StoreReport, checkStore, prefixProblems } from '../crash/check-store.js'
import { type ServerProcess, start } from '../failover/servers.js'
import { spawnPlain } from '../house/spawn-plain.js'
import type { Random } from '../isolation/random.js'
import { until } from '../replication/until.js'
import { BadLink } from './bad-link.js'

const PROGRAM = fileURLToPath(new URL('../../tools/replog.js', import.meta.url))
const DELAY_MS_MAX = 30
const WRONG_MS_MAX = 600

export interface Member {
  readonly name: string
  readonly path: string
  /** On its way to whom it follows. */
  readonly link: BadLink
  server: ServerProcess
}

export class TortureCluster {
  primary: Member
  replicas: Member[]
  readonly #test: Test
  readonly #random: Random

  private constructor(test: Test, random: Random, primary: Member, replicas: Member[]) {
    this.#test = test
    this.#random = random
    this.primary = primary
    this.replicas = replicas
  }

  static async start(t: Test, directory: string, random: Random): Promise<TortureCluster> {
    const member = async (name: string, role: 'primary' | 'replica', target: number): Promise<Member> => {
      const [path, link] = [join(directory, name), await BadLink.start(t, target)]
      const from = role === 'replica' ? ['--from', link.url] : []
      return { name, path, link, server: await start(t, role, '--data', path, '--name', name, ...from) }
    }
    const primary = await member('a', 'primary', 1)
    const { port } = primary.server
    return new TortureCluster(t, random, primary, [
      await member('b', 'replica', port),
      await member('c', 'replica', port),
    ])
  }

  /** Something goes wrong with a replica; what it gives mends it. */
  async harm(member: Member): Promise<() => Promise<void>> {
    const { link, server } = member
    switch (this.#random.below(5)) {
      case 0:
        link.cut()
        return () => Promise.resolve()
      case 1:
        link.hold()
        return () => {
          link.free()
          return Promise.resolve()
        }
      case 2:
        link.delayMs = 1 + this.#random.below(DELAY_MS_MAX)
        return () => {
          link.delayMs = 0
          return Promise.resolve()
        }
      case 3:
        server.signal('SIGSTOP')
        return () => {
          server.signal('SIGCONT')
          return Promise.resolve()
        }
      default:
        await server.kill()
        return () => this.#restart(member)
    }
  }

  /** Harms a replica for a while. */
  async harmForAWhile(): Promise<void> {
    const mend = await this.harm(this.#random.pick(this.replicas))
    await delay(this.#random.below(WRONG_MS_MAX))
    await mend()
  }

  /** Makes the most advanced replica the primary. The old one is dead, or cannot be reached by anybody. */
  async failOver(): Promise<void> {
    const [one, other] = this.replicas as [Member, Member]
    const [first, second] = [await durableOf(one), await durableOf(other)]
    const [next, follower] = first >= second ? [one, other] : [other, one]
    const old = this.primary
    for (const { link } of [old, ...this.replicas]) link.target = next.server.port
    // Nobody follows the old one any more.
    for (const { link } of this.replicas) link.cut()
    await replog('promote', next.server.url, '--json')
    this.primary = next
    this.replicas = [follower, old]
  }

  /** The old primary, which is dead, becomes a replica of the new one. */
  async rejoin(member: Member): Promise<void> {
    await replog('rejoin', '--from', this.primary.server.url, '--data', member.path, '--json')
    await this.#restart(member)
  }

  /** Resolves when both replicas have all that the primary has. */
  async converged(): Promise<void> {
    for (const member of this.replicas) {
      await until(async () => {
        const [status, lsn] = [await statusOf(member), BigInt((await statusOf(this.primary)).lsn)]
        assert.notEqual(status.replication?.state, 'stopped', `${member.name}: ${status.replication?.error?.message}`)
        return BigInt(status.lsn) >= lsn
      })
    }
  }

  /** Stops all servers, and gives what is wrong with their directories. */
  async check(): Promise<string[]> {
    const members = [this.primary, ...this.replicas]
    const codes = await Promise.all(members.map(({ server }) => server.stop().then(() => server.gone)))
    assert.deepEqual(codes, [0, 0, 0], 'all end cleanly')
    const reports: StoreReport[] = []
    const problems: string[] = []
    for (const { name, path } of members) {
      const { engine } = await openDataDirectory(path)
      try {
        const report = await checkStore(engine)
        reports.push(report)
        problems.push(...report.problems.map((problem) => `${name}: ${problem}`))
      } finally {
        await engine.close()
      }
    }
    const [first, ...others] = reports as [StoreReport, ...StoreReport[]]
    for (const other of others) {
      problems.push(...prefixProblems(first, other))
      if (other.position.lsn !== first.position.lsn) problems.push('the logs are not of the same length')
      if (other.visibleHash !== first.visibleHash) problems.push('the rows are not the same')
    }
    return problems
  }

  async #restart(member: Member): Promise<void> {
    const { path, name, link } = member
    const flags = ['--data', path, '--name', name, '--from', link.url]
    member.server = await start(this.#test, 'replica', ...flags)
  }
}

async function statusOf({ server }: Member): Promise<ServerStatus> {
  return await server.client.status()
}

async function durableOf(member: Member): Promise<bigint> {
  return BigInt((await statusOf(member)).lsn)
}

/** Runs a command of the program. @throws Error with what it printed, when it fails */
async function replog(...args: readonly string[]): Promise<void> {
  const child = spawnPlain(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk: Buffer) => lines.push(chunk.toString()))
  }
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`replog ${args.join(' ')} ended with ${code}: ${lines.join('')}`)
}
