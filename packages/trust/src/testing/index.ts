/** A whole repository in memory, with all its keys, for tests and simulations of other packages. */
export type { RepositorySimulator } from './repository-simulator.ts'
export {
  createRepositorySimulator,
  memoryStateStore,
  provisionClient,
} from './repository-simulator.ts'
