/** Every mode of `bench fsync` by its name. */
import { fileMode, nologMode, twoPhaseMode } from './log-modes.js'
import type { Mode, ModeName } from './mode.js'
import { batchMode, nosyncMode } from './primary-modes.js'

export const MODES: Readonly<Record<ModeName, Mode>> = {
  batch: batchMode,
  '2pc': twoPhaseMode('2pc'),
  '2pc-grouped': twoPhaseMode('2pc-grouped'),
  file: fileMode,
  nolog: nologMode,
  nosync: nosyncMode,
}
