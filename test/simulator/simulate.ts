/**
 * The simulator by hand: `npm run simulate -- --seeds 1000` runs so many seeds, `--from N` beginning with that one, and
 * `--seed N` replays one with its trace. Exits with 1 when something is wrong, and names the seeds.
 */
import { parseArgs } from 'node:util'
import { Simulation, type SimulationResult } from './simulation.js'

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, seed: { type: 'string' }, from: { type: 'string' } },
})

function report(result: SimulationResult): void {
  const { seed, problems, events, transactions, acknowledged, refused, unknown, reads, traceDigest } = result
  console.log(
    `seed ${seed}: ${transactions} transactions, ${acknowledged} acknowledged, ${refused} refused, ${unknown} unknown, ` +
      `${reads} reads, ${events} events, trace ${traceDigest.slice(0, 16)}${problems.length === 0 ? '' : ' FAILED'}`,
  )
  for (const problem of problems) console.log(`  ${problem}`)
}

if (values.seed !== undefined) {
  const result = await new Simulation(Number(values.seed), (line) => {
    console.log(line)
  }).run()
  report(result)
  process.exitCode = result.problems.length === 0 ? 0 : 1
} else {
  const first = Number(values.from ?? 1)
  const failed: number[] = []
  for (let seed = first; seed < first + Number(values.seeds ?? 50); seed++) {
    const result = await new Simulation(seed).run()
    report(result)
    if (result.problems.length > 0) failed.push(seed)
  }
  console.log(failed.length === 0 ? 'all is well' : `failed: ${failed.join(', ')}; replay one with --seed N`)
  process.exitCode = failed.length === 0 ? 0 : 1
}
