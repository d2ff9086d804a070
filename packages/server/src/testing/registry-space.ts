/** A registry without quotas, for tests and benchmarks of the registry alone. */
import type { RegistrySpace } from '../http/registry/index.ts'

const nothing = async () => undefined

export const endlessSpace: RegistrySpace<unknown> = {
  begin: nothing,
  setAside: async (_upload, { wanted }) => wanted,
  giveBackRest: nothing,
  keep: nothing,
  drop: nothing,
  add: nothing,
  remove: nothing,
}
