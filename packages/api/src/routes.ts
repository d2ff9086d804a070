/** Every route there is, in the order of openapi.json. */
import * as accessReviews from './access-reviews.ts'
import * as approvals from './approvals.ts'
import * as certificates from './certificates.ts'
import * as deviceSelf from './device-self.ts'
import * as devices from './devices.ts'
import * as fleets from './fleets.ts'
import * as provisioningKeys from './provisioning-keys.ts'
import * as grants from './grants.ts'
import * as foreignDevices from './foreign-devices.ts'
import * as identityProviders from './identity-providers.ts'
import * as invitations from './invitations.ts'
import * as omaha from './omaha.ts'
import * as passwords from './passwords.ts'
import * as signInPolicy from './sign-in-policy.ts'
import * as pairings from './pairings.ts'
import * as passkeys from './passkeys.ts'
import * as people from './people.ts'
import * as products from './products.ts'
import * as proposals from './proposals.ts'
import * as rebootLocks from './reboot-locks.ts'
import * as releases from './releases.ts'
import * as rollouts from './rollouts.ts'
import * as roles from './roles.ts'
import type { Route } from './route.ts'
import * as secrets from './secrets.ts'
import * as server from './server.ts'
import * as sessions from './sessions.ts'
import * as tokens from './tokens.ts'
import * as trust from './trust.ts'
import * as updates from './updates.ts'
import * as variables from './variables.ts'

export const routes: readonly Route[] = [
  server,
  certificates,
  tokens,
  sessions,
  people,
  roles,
  invitations,
  passkeys,
  pairings,
  passwords,
  signInPolicy,
  identityProviders,
  approvals,
  grants,
  accessReviews,
  trust,
  proposals,
  products,
  releases,
  fleets,
  provisioningKeys,
  rebootLocks,
  omaha,
  devices,
  variables,
  secrets,
  rollouts,
  updates,
  foreignDevices,
  deviceSelf,
].flatMap((resource) => Object.values(resource).filter(isRoute))

function isRoute(value: unknown): value is Route {
  return typeof value === 'object' && value !== null && 'auth' in value && 'bodyBytesMax' in value
}
