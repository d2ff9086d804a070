/** Values that the chapters of the demo share. */
import type { Context } from '../../context.ts'
import type { DemoProcesses, RunningProcess } from './processes.ts'
import type { DemoStage } from './stage.ts'

export interface Story {
  readonly context: Context
  readonly stage: DemoStage
  readonly processes: DemoProcesses
  /** An empty folder for everything. */
  readonly folder: string
}

export const fleet = 'harbour'
export const channel = 'stable'

export interface Server {
  readonly url: string
  readonly listen: string
  readonly dataDir: string
  readonly running: RunningProcess
}
