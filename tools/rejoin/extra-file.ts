/**
 * The readable file that keeps what a rejoin undoes: a line of JSON for each transaction, oldest first, as `replog log dump`
 * prints it, and with `frames`, the stored bytes in base64.
 *
 * Invariant: it is whole and on disk before anything is undone, under a name that no other has.
 */
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Position } from '../../core/position.js'
import { StoreSource } from '../log/store-source.js'
import { TransactionJson } from '../log/transaction-json.js'
import type { Store } from '../../store/store.js'
import { jsonText } from '../terminal.js'
import type { StoredTransaction } from './stored-log.js'

export interface ExtraFile {
  add(stored: StoredTransaction): Promise<void>
  /** Resolves with the path of the file when it is on disk. */
  end(): Promise<string>
  /** Leaves no file that could be taken for a whole one. */
  close(): Promise<void>
}

export async function openExtraFile(store: Store, directory: string, fork: Position): Promise<ExtraFile> {
  const source = await StoreSource.over(store, directory)
  const json = new TransactionJson(source)
  const partial = join(directory, 'extra-transactions.partial')
  const file = await open(partial, 'w')
  let isOpen = true
  const close = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    await file.close()
  }
  return {
    async add({ transaction, position, frames }) {
      source.note(transaction)
      const line = await json.render({ transaction, position, frames })
      const raw = frames.map(({ bytes }) => Buffer.from(bytes).toString('base64'))
      // Not `write`, which may take a part only and says so in a number.
      await file.appendFile(`${jsonText({ ...line, frames: raw })}\n`)
    },
    async end() {
      await file.sync()
      await close()
      const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
      const path = join(directory, `extra-transactions-${fork.lsn}-${time}.jsonl`)
      await rename(partial, path)
      const parent = await open(directory)
      await parent.sync().finally(() => parent.close())
      return path
    },
    close,
  }
}
