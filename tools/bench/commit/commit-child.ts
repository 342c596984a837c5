/** The program of one side of `bench commit`: runs cells when it is asked to. */
import { answerMeasurements } from '../measuring-child.js'
import { type CellRequest, type RecordRequest, makeRecording, runCell } from './run-cell.js'

answerMeasurements<CellRequest | RecordRequest>((request) =>
  request.kind === 'cell' ? runCell(request) : makeRecording(request),
)
