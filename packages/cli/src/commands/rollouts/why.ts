/** Why a device gets what it gets: one sentence, and the facts behind it. */
import type { WhyView } from '@seaworthy/api/rollouts'
import { explainRollout } from '@seaworthy/api/rollouts'
import type { Context } from '../../context.ts'
import { formatWhen } from '@seaworthy/fleet/rollouts'
import { parseInstant } from '@seaworthy/std/time'
import { formatAgo, harmless } from '../../output/format.ts'
import { findDeviceId } from '../../find-device.ts'
import { withConnection } from '../../connection.ts'
import { findRolloutId } from './find-rollout.ts'

export async function explainDeviceIn(
  context: Context,
  rollout: string,
  given: string,
  { timeZone = context.ports.timeZone }: { timeZone?: string },
): Promise<void> {
  await withConnection(context, async (connection) => {
    const { client } = connection
    const rolloutId = await findRolloutId(connection, rollout)
    const deviceId = await findDeviceId(connection, given)
    const why = await client.call(explainRollout, {
      params: { rolloutId, deviceId },
      query: { timeZone },
    })
    context.show(why, () => describeWhy(context, why, timeZone))
  })
}

export function describeWhy(context: Context, why: WhyView, timeZone: string): string[] {
  const now = context.ports.clock.now()
  return [
    harmless(why.sentence),
    '',
    ...context.fields([
      ['code', why.code],
      ['rollout', why.rolloutId ?? undefined],
      ['wave', why.wave === null ? undefined : String(why.wave)],
      [
        'place',
        why.placePercent === null
          ? undefined
          : `${formatPlace(why.placePercent)} %: waves by percentage take in the lowest first`,
      ],
      [
        'earliest',
        why.earliestAt === null
          ? undefined
          : // The form is that of the sentence, so that nobody has to compare two.
            `${formatWhen(parseInstant(why.earliestAt), now, timeZone)} (${formatAgo(why.earliestAt, now)})`,
      ],
    ]),
  ]
}

/** Rounds up, so that a wave of the percentage shown takes the device in. */
function formatPlace(percent: number): string {
  return String(Math.min(100, Math.ceil(percent * 1000) / 1000))
}
