import type { App } from '../app/app.ts'
import type { ServerRefusal } from '../app/refusals.ts'
import { Refusal } from '@seaworthy/std/refusal'

/** UTC unless given. Throws `time_zone_unknown` for a name that this system does not know: that is no matter of form. */
export function readTimeZone({ zones }: Pick<App, 'zones'>, timeZone: string | undefined): string {
  if (timeZone === undefined) return 'UTC'
  if (zones.isZone(timeZone)) return timeZone
  throw new Refusal<ServerRefusal>(
    'time_zone_unknown',
    `${timeZone} is no time zone known here: use a name such as Europe/Berlin`,
  )
}
