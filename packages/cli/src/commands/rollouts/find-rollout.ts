/**
 * A rollout as people name it: by its id, or by its fleet, which means the one that runs there or,
 * where none does, the last one.
 */
import { idField } from '@seaworthy/api/fields'
import { showFleet } from '@seaworthy/api/fleets'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { listRollouts } from '@seaworthy/api/rollouts'
import { CliError } from '../../failure.ts'
import type { Connection } from '../../connection.ts'

const rolloutId = idField('rollout')

/** How many rollouts of one fleet are looked at, and an error lists. */
const candidatesMax = 10

/**
 * The id of the rollout that is meant. No name of a fleet has the form of an id. With
 * `not-ways-back`, a name never means a way back: a command that makes one can be repeated. Throws
 * `CliError` where the fleet has had no such rollout, or where more than one runs.
 */
export async function findRolloutId(
  { client }: Pick<Connection, 'client'>,
  given: string,
  which: 'all' | 'not-ways-back' = 'all',
): Promise<string> {
  if (rolloutId.safeParse(given).success) return given
  const { name: fleet } = await client.call(showFleet, { params: { fleet: given } })
  const list = async (state?: RolloutView['state']) => {
    const query = { fleet, limit: candidatesMax + 1, ...(state === undefined ? {} : { state }) }
    const { items } = await client.call(listRollouts, { query })
    return which === 'all' ? items : items.filter(({ wayBackOf }) => wayBackOf === null)
  }
  const running = [...(await list('active')), ...(await list('paused'))]
  if (running.length > 1) throw ambiguous(fleet, running)
  const [found] = running.length === 1 ? running : await list()
  if (found !== undefined) return found.id
  throw new CliError('notFound', `the fleet ${fleet} has had no rollout`, {
    wayOut: 'See `seaworthy rollout list`; a rollout is also found by its id.',
  })
}

function ambiguous(fleet: string, running: readonly RolloutView[]): CliError {
  const shown = running
    .slice(0, candidatesMax)
    .map(({ id, version, state }) => `${id} to ${version}, ${state}`)
  const more = running.length > candidatesMax ? '; and more' : ''
  return new CliError(
    'usage',
    `more than one rollout of the fleet ${fleet} runs: ${shown.join('; ')}${more}`,
    { wayOut: 'Give the id of the one that you mean.' },
  )
}
