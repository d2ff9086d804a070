/** The key by which command lines and devices know the server, and the change to the next one. */
import { z } from 'zod'
import { instant, pinField } from './fields.ts'
import { defineRoute } from './route.ts'

const serverKeyView = z.object({
  /** What command lines and devices pin now. */
  pin: pinField,
  /** The key that is announced; `null` where none is. */
  next: z
    .object({
      pin: pinField,
      announcedAt: instant,
      /** Devices that run the agent. */
      devices: z.object({
        count: z.number().int(),
        /** Those that said they keep the pin. */
        confirmed: z.number().int(),
        /** Those of the others that were not heard since the announcement. */
        silent: z.number().int(),
        /** Some that have not confirmed. */
        unconfirmed: z.array(
          z.object({ id: z.string(), name: z.string().nullable(), seenAt: instant.nullable() }),
        ),
      }),
      /** Tokens that work: a command line learns the pin when it is used. */
      tokens: z.object({
        count: z.number().int(),
        /** Those used since the announcement. */
        used: z.number().int(),
        /** Some that were not. */
        unused: z.array(
          z.object({ id: z.string(), name: z.string(), lastUsedAt: instant.nullable() }),
        ),
      }),
    })
    .nullable(),
})

export type ServerKeyView = z.output<typeof serverKeyView>

export const showServerKey = defineRoute({
  name: 'server-key.show',
  method: 'GET',
  path: '/v1/server/key',
  auth: 'actor',
  summary: 'Show the pin of the server, the next one if it is announced, and who keeps it.',
  reply: serverKeyView,
})

export const announceServerKey = defineRoute({
  name: 'server-key.announce',
  method: 'POST',
  path: '/v1/server/key/next',
  auth: 'actor',
  stepUp: true,
  summary:
    'Make the next key of the server and announce its pin, by the header seaworthy-next-pin of every answer.',
  body: z.strictObject({
    /** Makes another one in place of one that is announced already. */
    another: z.boolean().optional(),
  }),
  reply: serverKeyView,
})

export const useServerKey = defineRoute({
  name: 'server-key.use-next',
  method: 'POST',
  path: '/v1/server/key/use-next',
  auth: 'actor',
  stepUp: true,
  summary: 'Show the announced key from now on, and destroy the old one.',
  body: z.strictObject({
    /** The pin of the key that is meant. */
    pin: pinField,
    /** How many devices may be cut off because they have not confirmed. */
    unconfirmedMax: z.number().int().min(0).max(1_000_000_000).optional(),
  }),
  reply: z.object({ pin: pinField, before: pinField, cutOff: z.number().int() }),
})
