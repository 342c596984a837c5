/**
 * `npm start`: sets a fresh clone up, then runs `replog pair` with the arguments given.
 *
 * The command runs in this very process, so signals, terminal and exit code are its own and nothing has to be forwarded.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { compileWhenStale } from './compile.mjs'
import { install } from './install.mjs'
import { ROOT } from './source-tree.mjs'

install()
compileWhenStale()
const replog = join(ROOT, 'build', 'tools', 'replog.js')
process.argv = [process.execPath, replog, 'pair', ...process.argv.slice(2)]
await import(pathToFileURL(replog).href)
