/**
 * `--limit NAME=VALUE` and `--catalog-limit NAME=VALUE`, each as often as needed: the limits of a server and of each of
 * its catalogs. The names are those of docs/LIMITS.md.
 *
 *   --limit openTransactions=1000 --catalog-limit storedBytes=64MiB --catalog-limit tables=10,sessions=none
 */
import { type Command, InvalidArgumentError } from 'commander'
import { isReplogError } from '../core/errors.js'
import { type LimitOptions, checkLimit } from '../primary/limit-options.js'
import type { LimitScope } from '../primary/limit-table.js'

type Values = Readonly<Record<string, number>>

export interface LimitFlags {
  readonly limit?: Values
  readonly catalogLimit?: Values
}

const FACTORS: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

export function addLimitFlags(command: Command): Command {
  return command
    .option('--limit <name=value>', 'a limit of the server, such as sessions=1000; may be repeated', parser('server'))
    .option(
      '--catalog-limit <name=value>',
      'a limit of each catalog, such as storedBytes=64MiB; may be repeated',
      parser('catalog'),
    )
}

export function limitOptions({ limit, catalogLimit }: LimitFlags): LimitOptions {
  return { ...(limit === undefined ? {} : { server: limit }), ...(catalogLimit && { catalog: catalogLimit }) }
}

function parser(scope: LimitScope): (text: string, previous?: Values) => Values {
  return (text, previous = {}) => {
    const values: Record<string, number> = { ...previous }
    for (const part of text.split(',')) {
      const [, name, digits, unit, none] = /^\s*(\w+)\s*=\s*(?:(\d+)\s*((?:[KMG]iB)?)|(none))\s*$/.exec(part) ?? []
      if (name === undefined) {
        throw new InvalidArgumentError('It is NAME=VALUE: a whole number, one with KiB, MiB or GiB, or none.')
      }
      const value = none === undefined ? Number(digits) * FACTORS[unit ?? '']! : Infinity
      try {
        values[checkLimit(scope, name, value)] = value
      } catch (error) {
        if (!isReplogError(error)) throw error
        throw new InvalidArgumentError(`${error.message}.`)
      }
    }
    return values
  }
}
