/** Every route there is, in the order of openapi.json. */
import * as accessReviews from './access-reviews.ts'
import * as advisories from './advisories.ts'
import * as approvals from './approvals.ts'
import * as certificates from './certificates.ts'
import * as serverKeys from './server-keys.ts'
import * as deviceSelf from './device-self.ts'
import * as devices from './devices.ts'
import * as fleets from './fleets.ts'
import * as provisioningKeys from './provisioning-keys.ts'
import * as grants from './grants.ts'
import * as foreignDevices from './foreign-devices.ts'
import * as identityProviders from './identity-providers.ts'
import * as invitations from './invitations.ts'
import * as cases from './cases.ts'
import * as leases from './leases.ts'
import * as omaha from './omaha.ts'
import * as accountKeys from './account-keys.ts'
import * as passwords from './passwords.ts'
import * as signInPolicy from './sign-in-policy.ts'
import * as pairings from './pairings.ts'
import * as passkeys from './passkeys.ts'
import * as people from './people.ts'
import * as products from './products.ts'
import * as proposals from './proposals.ts'
import * as rebootLocks from './reboot-locks.ts'
import * as releaseContents from './release-contents.ts'
import * as releases from './releases.ts'
import * as rollouts from './rollouts.ts'
import * as roles from './roles.ts'
import type { Route } from './route.ts'
import * as secrets from './secrets.ts'
import * as server from './server.ts'
import * as sessions from './sessions.ts'
import * as storedCredentials from './stored-credentials.ts'
import * as tokens from './tokens.ts'
import * as trust from './trust.ts'
import * as updates from './updates.ts'
import * as variables from './variables.ts'
import * as vex from './vex.ts'
import * as vulnerabilities from './vulnerabilities.ts'

/** The routes of each resource, which is the name of its file here. */
export const resources: Readonly<Record<string, readonly Route[]>> = {
  server: routesOf(server),
  certificates: routesOf(certificates),
  'server-keys': routesOf(serverKeys),
  tokens: routesOf(tokens),
  sessions: routesOf(sessions),
  people: routesOf(people),
  roles: routesOf(roles),
  invitations: routesOf(invitations),
  passkeys: routesOf(passkeys),
  pairings: routesOf(pairings),
  passwords: routesOf(passwords),
  'sign-in-policy': routesOf(signInPolicy),
  'account-keys': routesOf(accountKeys),
  'identity-providers': routesOf(identityProviders),
  approvals: routesOf(approvals),
  grants: routesOf(grants),
  'access-reviews': routesOf(accessReviews),
  trust: routesOf(trust),
  proposals: routesOf(proposals),
  products: routesOf(products),
  'release-contents': routesOf(releaseContents),
  releases: routesOf(releases),
  'vex-statements': routesOf(vex),
  vulnerabilities: routesOf(vulnerabilities),
  fleets: routesOf(fleets),
  'provisioning-keys': routesOf(provisioningKeys),
  'reboot-locks': routesOf(rebootLocks),
  omaha: routesOf(omaha),
  devices: routesOf(devices),
  variables: routesOf(variables),
  secrets: routesOf(secrets),
  'stored-credentials': routesOf(storedCredentials),
  leases: routesOf(leases),
  cases: routesOf(cases),
  advisories: routesOf(advisories),
  rollouts: routesOf(rollouts),
  updates: routesOf(updates),
  'foreign-devices': routesOf(foreignDevices),
  'device-self': routesOf(deviceSelf),
}

export const routes: readonly Route[] = Object.values(resources).flat()

function routesOf(resource: object): readonly Route[] {
  return Object.values(resource).filter(isRoute)
}

function isRoute(value: unknown): value is Route {
  return typeof value === 'object' && value !== null && 'auth' in value && 'bodyBytesMax' in value
}
