/** `--profile NAME` of benchmarks: what is measured unless other flags say. */
import { type Command, InvalidArgumentError } from 'commander'
import { nearest } from '../../ddl/nearest.js'

export function addProfileFlag<Name extends string>(command: Command, names: readonly Name[], preset: Name): Command {
  return command.option(
    '--profile <name>',
    `${names.join(' or ')}: what is measured unless other flags say`,
    (text: string): Name => {
      const found = names.find((name) => name === text)
      if (found !== undefined) return found
      throw new InvalidArgumentError(
        `There is no profile ${JSON.stringify(text)}${nearest(text, names)}; there are: ${names.join(', ')}.`,
      )
    },
    preset,
  )
}
