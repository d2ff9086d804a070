/**
 * What `GET /v1/events` tells whoever watches: that something changed, never what it became. Each
 * event is one line of server-sent events, `data: {"noun": …}`; the reader asks the routes again.
 */
import { z } from 'zod'

export const eventsPath = '/v1/events'

/** What changes are told of, in the words of the first part of the names of routes. */
export const eventNouns = ['device', 'fleet', 'rollout', 'release', 'proposal', 'approval'] as const
const eventNoun = z.enum(eventNouns)
export type EventNoun = z.output<typeof eventNoun>

/** How many identifiers stand in one event at most. */
export const eventIdsMax = 50

export const changeEvent = z.object({
  noun: eventNoun,
  /** Some of those that changed; there may be others. */
  ids: z.array(z.string()).max(eventIdsMax),
})
export type ChangeEvent = z.output<typeof changeEvent>
