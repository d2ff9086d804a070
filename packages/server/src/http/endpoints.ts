/** The work of every route of `api`. */
import { routes } from '@seaworthy/api/routes'
import { invariant } from '@seaworthy/std/refusal'
import { accessReviewEndpoints } from './access-reviews.ts'
import { advisoryEndpoints } from './advisories.ts'
import { approvalEndpoints } from './approvals.ts'
import { certificateEndpoints } from './certificates.ts'
import { caseEndpoints } from './cases.ts'
import { createOwnEndpoints } from './device-self.ts'
import { deviceEndpoints } from './devices.ts'
import { fleetEndpoints } from './fleets.ts'
import { foreignDeviceEndpoints } from './foreign-devices.ts'
import { grantEndpoints } from './grants.ts'
import { identityProviderEndpoints } from './identity-providers.ts'
import { invitationEndpoints } from './invitations.ts'
import { leaseEndpoints } from './leases.ts'
import { omahaAppEndpoints } from './omaha-apps.ts'
import { pairingEndpoints } from './pairings.ts'
import { accountKeyEndpoints } from './account-keys.ts'
import { passkeyEndpoints } from './passkeys.ts'
import { passwordEndpoints } from './passwords.ts'
import { personEndpoints } from './people.ts'
import { productEndpoints } from './products.ts'
import { proposalEndpoints } from './proposals.ts'
import { provisioningKeyEndpoints } from './provisioning-keys.ts'
import { rebootLockEndpoints } from './reboot-locks.ts'
import { releaseContentEndpoints } from './release-contents.ts'
import { releaseEndpoints } from './releases.ts'
import { roleEndpoints } from './roles.ts'
import { rolloutEndpoints } from './rollouts.ts'
import { serverKeyEndpoints } from './server-keys.ts'
import { secretEndpoints } from './secrets.ts'
import { serverEndpoints } from './server.ts'
import { sessionEndpoints } from './sessions.ts'
import { signInPolicyEndpoints } from './sign-in-policy.ts'
import { storedCredentialEndpoints } from './stored-credentials.ts'
import { tokenEndpoints } from './tokens.ts'
import { trustEndpoints } from './trust.ts'
import { updateEndpoints } from './updates.ts'
import { variableEndpoints } from './variables.ts'
import { vexEndpoints } from './vex.ts'
import { vulnerabilityEndpoints } from './vulnerabilities.ts'
import type { Endpoint } from './endpoint.ts'

/**
 * One endpoint for each route of `api`; a route without one is a bug that is found at the start.
 */
export function listEndpoints(
  isOwnOrigin: (origin: string) => boolean,
  hasFastPath: boolean,
): readonly Endpoint[] {
  const endpoints = [
    ...serverEndpoints,
    ...certificateEndpoints,
    ...serverKeyEndpoints,
    ...caseEndpoints,
    ...advisoryEndpoints,
    ...tokenEndpoints,
    ...sessionEndpoints,
    ...personEndpoints,
    ...roleEndpoints,
    ...invitationEndpoints,
    ...passkeyEndpoints,
    ...pairingEndpoints,
    ...passwordEndpoints,
    ...signInPolicyEndpoints,
    ...accountKeyEndpoints,
    ...identityProviderEndpoints,
    ...approvalEndpoints,
    ...grantEndpoints,
    ...accessReviewEndpoints,
    ...trustEndpoints,
    ...proposalEndpoints,
    ...productEndpoints,
    ...releaseEndpoints,
    ...vexEndpoints,
    ...releaseContentEndpoints,
    ...vulnerabilityEndpoints,
    ...fleetEndpoints,
    ...provisioningKeyEndpoints,
    ...rebootLockEndpoints,
    ...omahaAppEndpoints,
    ...deviceEndpoints,
    ...variableEndpoints,
    ...secretEndpoints,
    ...storedCredentialEndpoints,
    ...leaseEndpoints,
    ...rolloutEndpoints,
    ...updateEndpoints,
    ...foreignDeviceEndpoints,
    ...createOwnEndpoints(isOwnOrigin, hasFastPath),
  ]
  const mounted = new Set(endpoints.map(({ route }) => route.name))
  for (const { name } of routes) invariant(mounted.has(name), `the route ${name} is mounted`)
  invariant(endpoints.length === routes.length, 'every route is mounted once')
  return endpoints
}
