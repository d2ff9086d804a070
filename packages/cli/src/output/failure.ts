/** Why something of a device failed, in the device's own words. */
import type { showDevice } from '@seaworthy/api/devices'
import type { ReplyOf } from '@seaworthy/api/route'
import type { Context } from '../context.ts'
import { formatCount, harmless } from './format.ts'

/** `: EACCES ./bin/app: it cannot be executed`, or nothing. */
export function reasonOf({ reason }: { readonly reason: string | null }): string {
  return reason === null ? '' : `: ${reason}`
}

/** Why the last update failed, and what the application wrote last. */
export function describeFailure(
  context: Context,
  { failure }: Pick<ReplyOf<typeof showDevice>, 'failure'>,
): string[] {
  if (failure === null) return []
  const { code, reason, output = [] } = failure
  return [
    ...context.fields([
      ['last failure', `${code}${reasonOf({ reason: reason ?? null })}`],
      ['it wrote last', output.length === 0 ? undefined : formatCount(output.length, 'line')],
    ]),
    ...output.map((line) => `  ${harmless(line)}`),
  ]
}
