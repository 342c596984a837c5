/** Reads that say how old the state may be are not answered by a primary that may not be one any more. (G8) */
import t, { type Test } from 'tap'
import { asEpoch } from '../../core/position.js'
import { createHttpServer } from '../../log/http/server.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { serve } from '../replication/linked-pair.js'
import { ITEMS } from '../replication/tables.js'

async function openRead(t: Test) {
  const { primary, served } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  await primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const app = createHttpServer(served)
  t.teardown(() => app.close())
  const read = async (headers: Record<string, string>) => {
    const { statusCode, body } = await app.inject({
      method: 'GET',
      url: '/v1/catalogs/local/tables/items/rows',
      headers,
    })
    return { status: statusCode, code: (JSON.parse(body) as { readonly code?: string }).code }
  }
  return { primary, read }
}

const FRESH = { 'replog-max-staleness-ms': '0' }
const ANY = { 'replog-max-staleness-ms': '999999999999' }

void t.test('a primary whose lease has ended does not know what another one commits', async (t) => {
  const { primary, read } = await openRead(t)
  let problem: string | undefined
  primary.gate.require({ problem: () => problem })
  t.match(await read(FRESH), { status: 200 }, 'with the lease nothing is newer')
  problem = 'it is gone'
  for (const headers of [FRESH, ANY]) t.match(await read(headers), { status: 503, code: 'STALE' })
  t.match(await read({}), { status: 200 }, 'who states nothing sees what there is')
  problem = undefined
  t.match(await read(FRESH), { status: 200 })
})

void t.test('a primary that is fenced never knows it again', async (t) => {
  const { primary, read } = await openRead(t)
  await primary.fence.raise({ epoch: asEpoch(2) })
  t.match(await read(FRESH), { status: 503, code: 'STALE' })
})
