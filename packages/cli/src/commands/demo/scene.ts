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
  /** The pages that the server serves to browsers; `undefined` where it serves none. */
  readonly webFolder: string | undefined
}

export const fleet = 'harbour'
export const channel = 'stable'

export interface Server {
  readonly url: string
  readonly listen: string
  readonly dataDir: string
  /** The one-time link by which a person becomes the first owner, in a browser. */
  readonly ownerLink: string
  readonly running: RunningProcess
}
