/**
 * The demo's rollouts: one device first, the others once it has stayed healthy, and no other when
 * it has not.
 */
import { parseAnyJsonText } from '@seaworthy/std/json'
import { CliError, reportIt } from '../../failure.ts'
import type { People } from './people.ts'
import { fleet } from './scene.ts'
import type { Story } from './scene.ts'

/** The device that asks first goes first, with the fastest gate that still waits for it. */
export const oneFirst = ['--waves', 'count:1,100%', '--bake', '2s,0s', '--safe-mode'] as const
export const allAtOnce = ['--waves', '100%', '--bake', '0s'] as const

export interface StagedRollout {
  readonly id: string
  /** Resolves when the rollout is over: true when it finished, false when failures stopped it. */
  readonly finished: Promise<boolean>
}

/** Creates a rollout, and shows what `rollout watch` says of it. */
export async function rollOut(
  { stage }: Story,
  { owner }: People,
  release: string,
  policy: readonly string[],
): Promise<StagedRollout> {
  const output = await owner.seaworthy(
    ...['--json', 'rollout', 'create', '--fleet', fleet, '--release', release],
    ...policy,
  )
  const { id } = parseAnyJsonText(output) as { id: string }
  const watching = owner.follow(
    (line) => {
      const text = line.replace(/^\S+ /, '').replace(`rollout ${id}`, 'the rollout is')
      if (/^(?:the rollout is|wave \d+ \()/.test(text)) stage.tell(text)
    },
    ...['rollout', 'watch', id],
  )
  const finished = watching.then((how) => {
    if (how === 'exit code 0') return true
    if (how === 'exit code 3') return false
    throw new CliError('failed', `the rollout could not be watched (${how})`, { wayOut: reportIt })
  })
  // The caller learns of a failure whenever it asks how the rollout ended.
  finished.catch(() => {})
  return { id, finished }
}

/** Why a device does not get what a rollout brings, in the server's words. */
export async function askWhy(
  { owner }: People,
  rolloutId: string,
  deviceName: string,
): Promise<string> {
  const list = await owner.seaworthy('--json', 'device', 'list', '--fleet', fleet)
  const devices = parseAnyJsonText(list) as { id: string; name: string | null }[]
  const device = devices.find(({ name }) => name === deviceName)
  if (device === undefined)
    throw new CliError('failed', `the server does not know ${deviceName}`, { wayOut: reportIt })
  const why = await owner.seaworthy('--json', 'rollout', 'why', rolloutId, device.id)
  return (parseAnyJsonText(why) as { sentence: string }).sentence
}
