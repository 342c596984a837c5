/**
 * A small program as it is written for `level`: it is given a database and prints what it finds. Which package the
 * database is of is the only thing that its two callers differ in.
 */
import type { AbstractLevel } from 'abstract-level'

export async function runNotes(level: AbstractLevel<Buffer>, print: (line: string) => void): Promise<void> {
  const notes = level.sublevel<string, { text: string; tags: string[] }>('notes', { valueEncoding: 'json' })
  const byTag = level.sublevel('tags')
  const add = async (id: string, text: string, tags: string[]): Promise<void> => {
    await level.batch<string, unknown>(
      [
        { type: 'put', sublevel: notes, key: id, value: { text, tags } },
        ...tags.map((tag) => ({ type: 'put' as const, sublevel: byTag, key: `${tag}!${id}`, value: id })),
      ],
      {},
    )
  }
  await add('2', 'buy milk', ['home', 'shop'])
  await add('1', 'write tests', ['work'])
  await add('3', 'fix the roof', ['home'])
  for await (const [id, { text }] of notes.iterator()) print(`${id}: ${text}`)
  for await (const id of byTag.values({ gte: 'home!', lt: 'home"' })) print(`home: ${(await notes.get(id))?.text}`)
  const snapshot = level.snapshot()
  await notes.del('2')
  print(`now ${(await notes.keys().all()).join()}, then ${(await notes.keys({ snapshot }).all()).join()}`)
  await snapshot.close()
  const iterator = notes.keys({ reverse: true })
  iterator.seek('2')
  print(`at or before 2: ${await iterator.next()}`)
  await iterator.close()
  await level.put('é', Buffer.from([0, 255]).toString('latin1'))
  print(
    `${(await level.keys({ keyEncoding: 'hex', limit: 1, reverse: true }).all()).join()} ${await level.get('none')}`,
  )
  print(`${await notes.has('2')} ${(await notes.hasMany(['1', '2'])).join()} ${notes.getSync('1')?.text}`)
  await byTag.clear({ gt: 'home!2' })
  print((await level.keys().all()).join(' '))
  try {
    await level.get('a', { valueEncoding: 'none' })
  } catch (error) {
    print((error as { code: string }).code)
  }
  await level.close()
  try {
    await level.get('a')
  } catch (error) {
    print((error as { code: string }).code)
  }
}
