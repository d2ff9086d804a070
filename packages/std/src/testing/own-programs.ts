/** Programs of ours that tests start as processes. */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

/**
 * The file to start for the program whose sources begin at this address. For integration tests the
 * runner has built programs as one file each: reading hundreds of modules takes longer than what
 * most tests have them do. Without the runner, and for what it does not build, this is the source.
 */
export function programAt(source: string | URL): string {
  const path = fileURLToPath(source)
  const shared = process.env['SEAWORTHY_TEST_SHARED']
  if (shared === undefined) return path
  const built = join(shared, 'programs', `${relative(root, path)}.mjs`)
  return existsSync(built) ? built : path
}
