import type { App } from '../app/app.ts'
import type { ServerRefusal } from '../app/refusals.ts'
import { Refusal } from '@seaworthy/std/refusal'

/**
 * The given time zone, or UTC. Throws `time_zone_unknown` for a name that this system does not
 * know, which the schema cannot tell.
 */
export function readTimeZone({ zones }: Pick<App, 'zones'>, timeZone: string | undefined): string {
  if (timeZone === undefined) return 'UTC'
  if (zones.isZone(timeZone)) return timeZone
  throw new Refusal<ServerRefusal>(
    'time_zone_unknown',
    `${timeZone} is not a known time zone: use a name such as Europe/Berlin`,
  )
}
