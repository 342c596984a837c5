/** `replog catalogs alter URL NAME`: changes the comment and the options of a catalog. */
import { addJsonFlag, listFlag, optionFlag } from './flags.js'
import { HttpClient } from './http-client.js'
import { UsageError, type Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly comment?: string
  readonly option?: Readonly<Record<string, string>>
  readonly dropOption?: readonly string[]
}

export const verb: Verb<Options> = {
  name: 'catalogs alter',
  summary: 'Change the comment and the options of a catalog',
  configure(command) {
    addJsonFlag(command)
      .argument('<url>', 'the server')
      .argument('<name>', 'name of the catalog')
      .option('--comment <text>', 'the new comment; empty for none')
      .option('--option <key=value>', 'an option to set; may be repeated', optionFlag)
      .option('--drop-option <key>', 'an option to take away; may be repeated', listFlag)
  },
  async run({ args, options, terminal }) {
    const [url = '', name = ''] = args
    const { comment, option = {}, dropOption = [] } = options
    const both = dropOption.find((key) => Object.hasOwn(option, key))
    if (both !== undefined) throw new UsageError(`--option and --drop-option both name ${JSON.stringify(both)}`)
    const changes = { ...option, ...Object.fromEntries(dropOption.map((key) => [key, null])) }
    if (comment === undefined && Object.keys(changes).length === 0) {
      throw new UsageError('say what is to change: --comment, --option or --drop-option')
    }
    const altered = await new HttpClient(url).alterCatalog(name, { comment, options: changes })
    if (options.json === true) terminal.printJson({ altered })
    else terminal.print(altered ? 'changed' : 'it was like that already')
  },
}
