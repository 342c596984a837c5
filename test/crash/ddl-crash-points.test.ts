/**
 * G6: definition statements of every kind, cut off at every batch that they and their background jobs write, on each side
 * of its sync, on a primary and on a replica. What reopening finds is the state before or the state after, no key is
 * without an owner, the jobs come to their end, and the store is then, byte for byte, that of a run which was not cut.
 *
 * The crash points are those that a run without a cut passes; a step that no scenario comes to fails the test.
 */
import t, { type Test } from 'tap'
import type { DefinitionStatement } from '../../log/codec/message.js'
import { Replica } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { type FakeLink, fakePrimary } from '../replication/fake-primary.js'
import { serve } from '../replication/linked-pair.js'
import { checkStore } from './check-store.js'
import { type Step, STEPS } from './crash-steps.js'
import { type CrashPoint, CUTS } from './cut-engine.js'
import { type LogSource, type Links, logOf, openPrimary, type Run, runPrimary, runReplica } from './ddl-crash-runs.js'
import { makeBase, type Scenario, SCENARIOS } from './ddl-scenarios.js'
import { imageDifferences, imageOf, type StoreImage, viewOf, withoutIdentity } from './store-image.js'
import { constraintProblems, scanProblems } from './store-probe.js'

// Not a bound on the product: a busy machine may take its time.
t.setTimeout(300_000)

/** What the first transactions of a scenario, and their jobs, make of the store. */
interface State {
  readonly engine: MemoryEngine
  readonly image: StoreImage
  /** What readers find at each LSN, from the one at which the scenario begins. */
  readonly views: ReadonlyMap<bigint, string>
}

const reachedOnPrimary = new Set<Step>()
const reachedOnReplica = new Set<Step>()
const kinds = new Set<string>()

/** The views are those of a replica that gets the log a transaction at a time. */
async function stateOf(engine: MemoryEngine, replica: MemoryEngine, links: Links): Promise<State> {
  const views = new Map<bigint, string>()
  const note = async (): Promise<void> => {
    const { lsn, content } = await viewOf(replica, 'replica')
    views.set(lsn, content)
  }
  await note()
  const log = await logOf(engine)
  for (const head of log.lsnsBehind([...views.keys()][0]!)) {
    replica = (await runReplica(replica, log.upTo(head), links)).engine
    await note()
  }
  return { engine, image: await imageOf(engine), views }
}

/** The store of a primary on which all begins, and that of a replica of it. */
async function baseStores(t: Test): Promise<{ primary: MemoryEngine; replica: MemoryEngine }> {
  const engine = new MemoryEngine()
  const primary = await openPrimary(engine)
  await makeBase(primary)
  await primary.close()
  const copy = new MemoryEngine()
  const log = await logOf(engine)
  const replica = await runReplica(copy, log, await linksOf(t))
  return { primary: engine, replica: replica.engine }
}

/** Links to a primary that only sends what a test tells it to. */
async function linksOf(t: Test): Promise<Links> {
  let take: (link: FakeLink) => void = () => undefined
  const { url } = await fakePrimary(t, (link) => {
    take(link)
  })
  return { url, connected: () => new Promise((resolve) => (take = resolve)) }
}

function pointsOf({ passed }: Run): CrashPoint[] {
  return passed.flatMap(({ step, nth }) => CUTS.map((cut) => ({ step, nth, cut })))
}

const nameOf = ({ step, nth, cut }: CrashPoint): string => `${step}, ${nth}: ${cut}`

/** What is wrong right after the restart, before any job has gone on. */
async function problemsFound(run: Run, role: 'primary' | 'replica', states: readonly State[]): Promise<string[]> {
  const { problems, position } = await checkStore(run.engine.crash())
  const { lsn, content } = await viewOf(run.engine, role)
  const found = problems.map((problem) => `after the restart: ${problem}`)
  if (lsn !== position.lsn) found.push(`readers are at ${lsn}, the log at ${position.lsn}`)
  for (const difference of lineDifferences(content, states[run.durable]!.views.get(lsn) ?? '')) {
    found.push(`after the restart at ${lsn}: ${difference}`)
  }
  return found
}

function lineDifferences(actual: string, expected: string): string[] {
  const [found, wanted] = [actual.split('\n'), expected.split('\n')]
  return [
    ...found.filter((line) => !wanted.includes(line)).map((line) => `readers find ${line}`),
    ...wanted.filter((line) => !found.includes(line)).map((line) => `readers miss ${line}`),
  ]
}

/** Goes on from what is on the disk, twice. */
async function primaryProblems(run: Run, scenario: Scenario, states: readonly State[]): Promise<string[]> {
  const problems = await problemsFound(run, 'primary', states)
  const expected = states[run.durable]!.image
  let { engine } = run
  for (const start of ['after the restart', 'after another restart']) {
    const faults: unknown[] = []
    engine = engine.crash()
    const primary = await openPrimary(engine, scenario.limits, (error) => faults.push(error))
    await primary.jobsDone()
    if (start === 'after the restart') {
      problems.push(...(await scanProblems(primary)), ...(await constraintProblems(primary)))
    }
    await primary.close()
    for (const difference of imageDifferences(await imageOf(engine), expected)) problems.push(`${start}: ${difference}`)
    for (const fault of faults) problems.push(`${start}: ${String(fault)}`)
  }
  return problems
}

/** As on a primary, with `url` to catch up from. */
async function replicaProblems(run: Run, log: LogSource, url: string, states: readonly State[]): Promise<string[]> {
  const problems = await problemsFound(run, 'replica', states)
  const expected = withoutIdentity(states.at(-1)!.image)
  let { engine } = run
  for (const start of ['after the restart', 'after another restart']) {
    const faults: unknown[] = []
    engine = engine.crash()
    const replica = await Replica.open({ path: '/memory', engine, from: url, onError: (error) => faults.push(error) })
    await replica.waitFor(log.head)
    await replica.jobsDone()
    if (start === 'after the restart') problems.push(...(await scanProblems(replica)))
    await replica.close()
    const image = withoutIdentity(await imageOf(engine))
    for (const difference of imageDifferences(image, expected)) problems.push(`${start}: ${difference}`)
    for (const fault of faults) problems.push(`${start}: ${String(fault)}`)
  }
  return problems
}

/**
 * Cuts off a run at every point. Two points that leave the same bytes on the disk, as the end of one batch and the
 * beginning of the next, have the same future: it is looked at once.
 */
async function cutEverywhere(
  t: Test,
  side: string,
  whole: Run,
  runTo: (point: CrashPoint) => Promise<Run>,
  problemsOf: (run: Run) => Promise<string[]>,
): Promise<void> {
  let last: { readonly image: StoreImage; readonly problems: readonly string[] } | undefined
  for (const point of pointsOf(whole)) {
    const run = await runTo(point)
    t.ok(run.wasCut, `${side}: ${nameOf(point)}: it comes to the point`)
    t.equal(run.told, side === 'primary' ? run.acknowledged : 0, 'nobody is told of what is not durable (G2)')
    const image = await imageOf(run.engine)
    if (last === undefined || imageDifferences(image, last.image).length > 0) {
      last = { image, problems: await problemsOf(run) }
    }
    t.same(last.problems, [], `${side}: ${nameOf(point)}`)
  }
}

const base = baseStores(t)

async function runScenario(t: Test, scenario: Scenario): Promise<void> {
  const stores = await base
  const links = await linksOf(t)
  const stateAt = (engine: MemoryEngine): Promise<State> => stateOf(engine, stores.replica, links)
  const states = [await stateAt(stores.primary)]
  let whole: Run | undefined
  for (let count = 1; count <= scenario.transactions.length; count++) {
    whole = await runPrimary(stores.primary, scenario, scenario.transactions.slice(0, count))
    states.push(await stateAt(whole.engine))
  }
  const end = states.at(-1)!
  const { problems } = await checkStore(end.engine.crash(), {
    onTransaction: ({ lsn, statements }) => {
      if (!states[0]!.views.has(lsn)) for (const { kind } of statements) kinds.add(kind)
    },
  })
  t.same(problems, [], 'a run without a cut leaves a sound store')
  t.equal(whole!.told, scenario.transactions.length)
  if (states.length === 2) {
    const views = [...end.views.values()]
    const isEither = views.every((view) => view === views[0] || view === views.at(-1))
    t.ok(isEither, 'readers find the old state or the new one, whatever the jobs log meanwhile')
  }

  await cutEverywhere(
    t,
    'primary',
    whole!,
    (point) => runPrimary(stores.primary, scenario, scenario.transactions, point),
    (run) => primaryProblems(run, scenario, states),
  )
  for (const { steps } of whole!.passed) for (const step of steps) reachedOnPrimary.add(step)

  const { url } = await serve(t, { path: '/memory', engine: end.engine.crash() })
  const log = await logOf(end.engine)
  const followed = await runReplica(stores.replica, log, links)
  await cutEverywhere(
    t,
    'replica',
    followed,
    (point) => runReplica(stores.replica, log, links, point),
    (run) => replicaProblems(run, log, url, states),
  )
  for (const { steps } of followed.passed) for (const step of steps) reachedOnReplica.add(step)
}

for (const scenario of Object.values(SCENARIOS).flat()) {
  void t.test(scenario.name, (t) => runScenario(t, scenario))
}

void t.test('every step and every kind of statement was cut off', async (t) => {
  t.same([...reachedOnPrimary].sort(), [...STEPS].sort())
  t.same([...reachedOnReplica].sort(), [...STEPS].sort())
  const expected: readonly DefinitionStatement['kind'][] = Object.keys(SCENARIOS).filter(
    (kind) => kind !== 'several' && kind !== 'createTableAs',
  ) as DefinitionStatement['kind'][]
  t.same(
    expected.filter((kind) => !kinds.has(kind)),
    [],
  )
})
