/** The traced process of the proof of `bench commit`: `proof-child REQUESTS`, a list of cells as JSON. */
import { writeSync } from 'node:fs'
import { markTrace } from '../traced-syncs.js'
import { type CellFigures, type CellRequest, runCell } from './run-cell.js'

const requests = JSON.parse(process.argv[2] ?? '[]') as CellRequest[]
const figures: CellFigures[] = []
for (const request of requests) figures.push(await runCell(request, markTrace))
writeSync(1, JSON.stringify(figures))
