/** Paths of one tree that some file system takes for one name. */
import type { RefuseBy } from '@seaworthy/std/refusal'
import { throwRefusal } from '@seaworthy/std/refusal'
import { foldPath } from './paths.ts'

export type TwinRefusal = 'entry_twin'

const refuse: RefuseBy<TwinRefusal> = throwRefusal

/**
 * Throws `entry_twin` for a path that some file system takes for one before it: there one of the
 * two would replace the other, and what runs would not be what people were shown.
 */
export function createTwinGuard(): { admit(path: string): void } {
  const paths = new Map<string, string>()
  return {
    admit(path) {
      const folded = foldPath(path)
      const twin = paths.get(folded)
      if (twin !== undefined && twin !== path) {
        refuse(
          'entry_twin',
          `${path} and ${twin} are one name where case or the form of letters does not count`,
        )
      }
      paths.set(folded, path)
    },
  }
}
