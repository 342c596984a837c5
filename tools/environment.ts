/**
 * The environment variable of a flag: `--disk-free` reads REPLOG_DISK_FREE.
 *
 * An empty variable counts as not set. For a flag without a value, 1, true, yes and on set it and 0, false, no and off
 * do not; commander by itself would take any of them as set.
 */
import type { Option } from 'commander'
import { UsageError } from './verb.js'

const SET = new Set(['1', 'true', 'yes', 'on'])
const NOT_SET = new Set(['0', 'false', 'no', 'off'])

export function environmentName(option: Option): string {
  const long = option.long ?? option.name()
  return `REPLOG_${long.replace(/^--/, '').replaceAll('-', '_').toUpperCase()}`
}

/**
 * What the environment says for a flag; undefined when nothing.
 * @throws UsageError for a flag without a value whose variable is neither yes nor no
 */
export function environmentValue(option: Option): string | undefined {
  const name = environmentName(option)
  const text = process.env[name]
  if (text === undefined || text === '') return undefined
  if (option.required || option.optional) return text
  const word = text.toLowerCase()
  if (SET.has(word)) return text
  if (NOT_SET.has(word)) return undefined
  throw new UsageError(`${name} is ${JSON.stringify(text)}; a flag without a value takes 1 or 0`)
}
