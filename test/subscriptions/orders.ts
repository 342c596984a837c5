/** A table of orders, and the changes of a subscription of it in short form. */
import type { Catalog } from '../../primary/catalog.js'
import type { Delivery, SubscriptionStream } from '../../primary/subscriptions/subscription-stream.js'

export async function makeOrders(db: Catalog): Promise<void> {
  await db.execute([
    {
      createTable: {
        table: {
          name: 'orders',
          columns: [
            { name: 'id', type: 'INTEGER', notNull: true },
            { name: 'total', type: 'INTEGER' },
          ],
          primaryKey: ['id'],
        },
      },
    },
  ])
}

/** One transaction for each. */
export async function insertOrders(db: Catalog, ...ids: readonly number[]): Promise<void> {
  for (const id of ids) await db.execute([{ insert: { table: 'orders', rows: [{ id, total: id }] } }])
}

/** The next deliveries of a worker. */
export async function take(stream: SubscriptionStream, count: number): Promise<Delivery[]> {
  const deliveries: Delivery[] = []
  while (deliveries.length < count) {
    const result = await stream.next()
    if (result.done === true) throw new Error(`the stream ended after ${deliveries.length} of ${count}`)
    deliveries.push(result.value)
  }
  return deliveries
}

/** "insert 1": what it is and whose row it was or is. */
export function told({ change }: Delivery): string {
  if (change.type === 'snapshotEnd') return change.type
  if (change.type === 'definition') return `definition ${change.statement}`
  const row = change.after ?? ('before' in change ? change.before : undefined)
  return `${change.type} ${JSON.stringify(row?.['id'])}`
}
