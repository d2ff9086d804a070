/** Who may do what, and by whom: the report that a periodic review of access reads (A4, T9). */
import { z } from 'zod'
import { instant, nameField, pageOf, pageQuery, productName } from './fields.ts'
import { grantView } from './people.ts'
import { defineRoute } from './route.ts'

const grantKind = z.enum([
  'person',
  'token',
  'invitation',
  'provisioning-key',
  'gateway-token',
  'fleetlock-key',
])

const who = z.object({ id: z.string(), name: z.string().nullable() })

export const grantEntry = z.object({
  kind: grantKind,
  /** The id of the person, token, invitation or key. */
  id: z.string(),
  name: z.string().nullable(),
  /** Null for keys, which do one thing in one fleet. */
  role: grantView.role.nullable(),
  /** Further roles, of which nothing counts but what they deny. */
  deniedBy: grantView.deniedBy,
  /** The single rights. */
  permissions: z.array(z.string()),
  /** The rights that its role would allow, and the roles that deny each. */
  denied: z.array(z.object({ permission: z.string(), by: z.array(z.string()) })),
  /** The only products that are reached; null for all. */
  products: z.array(productName).nullable(),
  fleets: z.array(nameField).nullable(),
  /** The only networks that it works from; null for all. */
  networks: z.array(z.string()).nullable(),
  /** When it got these rights. */
  since: instant,
  /** Who gave them: a person, a token, the server's first start, or a group at a provider. */
  grantedBy: who,
  /** The person to whom it goes back, at however many removes. */
  holder: who,
  /** Null where it was never used, and for keys, whose uses are entries of the log. */
  lastUsedAt: instant.nullable(),
  expiresAt: instant.nullable(),
  /** Whether it opens anything at the moment: people may be disabled. */
  isEnabled: z.boolean(),
})
export type GrantEntry = z.output<typeof grantEntry>

export const listGrants = defineRoute({
  name: 'grant.list',
  method: 'GET',
  path: '/v1/grants',
  auth: 'actor',
  summary:
    'Say who may do what, where, since when, by whom and when they last did, for a review of access.',
  query: pageQuery,
  reply: pageOf(grantEntry),
})
