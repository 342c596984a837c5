/** `replog jobs URL`: the index builds and purges of a server that are not done yet, and how far they are. */
import type { Command } from 'commander'
import { formatTableName } from '../ddl/identifiers.js'
import type { JobKind, JobListing } from '../log/job-list.js'
import { addJsonFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import { alignedTable, formatCount, oneLine } from './table-text.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
}

const KINDS: Readonly<Record<JobKind, string>> = {
  buildIndex: 'build index',
  purgeCatalog: 'purge catalog',
  purgeTable: 'purge table',
  purgeIndex: 'purge index',
}

export const verb: Verb<Options> = {
  name: 'jobs',
  summary: 'List the background jobs of a server (index builds, purges of what was dropped) with their progress',
  configure(command: Command) {
    addJsonFlag(command).argument('[url]', 'the server', DEFAULT_URL)
  },
  async run({ args, options, terminal }) {
    const list = await new HttpClient(args[0] ?? DEFAULT_URL).jobs()
    if (options.json === true) {
      await terminal.write(`${JSON.stringify(list)}\n`)
      return
    }
    if (list.jobs.length === 0) terminal.note('no jobs')
    else await terminal.write(`${jobsText(list.jobs)}\n`)
    if (list.more) terminal.note('and others, which come when these are done')
  },
}

export function jobsText(jobs: readonly JobListing[]): string {
  return alignedTable([
    ['job', 'catalog', 'table', 'index', 'storage', 'pass', 'done', 'rows'],
    ...jobs.map((job) => [
      KINDS[job.kind],
      named(job.catalog, job.catalogId),
      tableText(job),
      named(job.index, job.indexId),
      job.storageId === null ? '' : String(job.storageId),
      job.pass,
      job.rowsTotal === null ? '' : shareText(job.rowsDone, job.rowsTotal),
      job.rowsTotal === null ? '' : formatCount(job.rowsTotal),
    ]),
  ])
}

function tableText({ schema, table, tableId }: JobListing): string {
  if (table === null || schema === null) return named(table, tableId)
  return oneLine(formatTableName({ schema, table }))
}

/** What has lost its name is known by its id. */
function named(name: string | null, id: number | null): string {
  if (name !== null) return oneLine(name)
  return id === null ? '' : `(id ${id})`
}

/** Never 100 % before it is all. */
function shareText(done: number, total: number): string {
  if (total === 0) return '100 %'
  return `${Math.floor((done / total) * 100)} %`
}
