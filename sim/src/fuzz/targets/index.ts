/** Every parser that sees bytes of strangers. A new one is added here. */
import type { FuzzTarget } from '../target.ts'
import { createAgentTargets } from './agent.ts'
import { createCliTargets } from './cli.ts'
import { createDdiTargets } from './ddi.ts'
import { createLogTargets } from './log.ts'
import { createODataTargets } from './odata.ts'
import { createOciTargets } from './oci.ts'
import { createServerTargets } from './server.ts'
import { createTrustTargets } from './trust.ts'

/** `folder`: an empty one, for targets that read files. */
export async function createTargets(folder: string): Promise<FuzzTarget[]> {
  const { targets, samples } = await createTrustTargets()
  return [
    ...targets,
    ...(await createLogTargets()),
    ...createOciTargets(),
    ...(await createAgentTargets()),
    ...(await createServerTargets(samples)),
    ...createDdiTargets(),
    ...createODataTargets(),
    ...createCliTargets(folder),
  ]
}
