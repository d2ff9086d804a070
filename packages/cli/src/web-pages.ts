/** The pages for browsers, which the server that this command line starts serves. */
import { dirname, join } from 'node:path'
import { CliError } from './failure.ts'
import type { CliPorts } from './ports.ts'
import { pathOf } from './server-program.ts'

/**
 * The folder of the pages for browsers. In a checkout they are built first, if they are missing or
 * older than their sources; a package carries them built. `undefined` where neither is installed:
 * the server then serves no pages.
 */
export async function preparePages(
  ports: Pick<CliPorts, 'runForeground'>,
): Promise<string | undefined> {
  const program = pathOf(() => import.meta.resolve('@seaworthy/web/build'))
  if (program === undefined) {
    const packed = pathOf(() => import.meta.resolve('@seaworthy/web/pages'))
    return packed && dirname(packed)
  }
  const exitCode = await ports.runForeground(program, [])
  if (exitCode !== 0) {
    throw new CliError('failed', 'the pages that browsers get could not be built', {
      wayOut:
        'Run “npm ci” in the checkout and try again, or name pages built elsewhere with --web-folder.',
    })
  }
  return join(dirname(dirname(program)), 'dist/current')
}
