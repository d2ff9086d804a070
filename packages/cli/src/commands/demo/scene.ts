/** Values that the chapters of the demo share. */
import type { Context } from '../../context.ts'
import type { Processes, Running } from './processes.ts'
import type { Stage } from './stage.ts'

export interface Story {
  readonly context: Context
  readonly stage: Stage
  readonly processes: Processes
  /** An empty folder for everything. */
  readonly folder: string
}

export const fleet = 'harbour'
export const channel = 'stable'

export interface Server {
  readonly url: string
  readonly listen: string
  readonly dataDir: string
  readonly running: Running
}
