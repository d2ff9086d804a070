/**
 * How long ago a device was heard of, and what that is called. This is the only definition of
 * online and silent: filters, counts, metrics, pages and the rule by which waves do not wait all
 * take it from here.
 */

/** How often the devices of a fleet should ask. */
interface Polling {
  readonly pollSeconds: number
}

/**
 * A device that was heard of within its last few polls is online, and one that missed many of them
 * for a long time is silent; in between it is late.
 */
export const presences = ['online', 'late', 'silent'] as const
export type Presence = (typeof presences)[number]

/** No device is late or silent before it has missed this many polls. */
export const missedPollsMin = 5
/** A device stays online for this long, however often it should ask. */
export const onlineSecondsMin = 5 * 60
/** A device is not silent before this, unless the policy of a rollout says another time. */
export const silentSecondsDefault = 24 * 60 * 60

/** Seconds since a device was last heard of after which it is no longer online. */
function onlineSecondsOf({ pollSeconds }: Polling): number {
  return Math.max(onlineSecondsMin, missedPollsMin * pollSeconds)
}

/** Seconds without a word from a device after which it is silent. */
export function silentSecondsOf({ pollSeconds }: Polling, chosen = silentSecondsDefault): number {
  return Math.max(chosen, missedPollsMin * pollSeconds)
}

/** A device that was never heard of since it registered counts from its registration. */
export function presenceOf(
  { seenAt, registeredAt }: { readonly seenAt: Date | null; readonly registeredAt: Date },
  fleet: Polling,
  now: Date,
): Presence {
  const ageMs = now.getTime() - (seenAt ?? registeredAt).getTime()
  if (ageMs <= onlineSecondsOf(fleet) * 1000) return 'online'
  return ageMs <= silentSecondsOf(fleet) * 1000 ? 'late' : 'silent'
}
