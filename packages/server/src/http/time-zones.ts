import type { App } from '../app/app.ts'
import { HttpError } from './problems.ts'

/** UTC unless given. Throws `invalid_request` for a name that this system does not know. */
export function readTimeZone({ zones }: Pick<App, 'zones'>, timeZone: string | undefined): string {
  if (timeZone === undefined) return 'UTC'
  if (zones.isZone(timeZone)) return timeZone
  throw new HttpError('invalid_request', `timeZone: ${timeZone} is no time zone known here`)
}
