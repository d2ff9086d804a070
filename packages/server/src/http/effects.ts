/**
 * Which kind of approval rule covers each changing route, or why none does. A route that is not
 * here, or that does not describe the effect that it has, does not compile.
 */
import type { Guarded } from '@seaworthy/fleet/access'

type Kind = Guarded['kind']

/** Routes that describe what they would do, for whoever must approve it. */
export const guarded = {
  'rollout.create': 'release',
  'rollout.approve': 'release',
  'rollout.edit': 'release',
  'rollout.resume': 'release',
  'fleet.set': 'release',
  'devices.set': 'release',
  'devices.move': 'release',
  'devices.remove': 'device-removal',
  'foreign-device.rotate': 'device-removal',
  'gateway-token.revoke': 'device-removal',
  'lease.open': 'credential-lease',
  'approval-policy.set': 'approval-rules',
} as const satisfies Readonly<Record<string, Kind>>

/** Routes that no approval rule covers, by the reason. */
export const unguarded = {
  'It changes who may do what, and devices keep what they have.': [
    'account-key.confirm',
    'account-key.create',
    'account-key.remove',
    'first-owner.create',
    'identity-provider.remove',
    'identity-provider.set',
    'identity.link',
    'identity.unlink',
    'invitation.accept',
    'invitation.create',
    'invitation.revoke',
    'pairing.approve',
    'pairing.fetch',
    'pairing.refuse',
    'passkey.create',
    'passkey.remove',
    'passkey.set',
    'password.remove',
    'password.set',
    'password.sign-in',
    'person.disable',
    'person.enable',
    'person.reinvite',
    'person.remove-key',
    'person.set',
    'recovery-codes.create',
    'recovery.create',
    'role.change',
    'role.create',
    'role.remove',
    'session.by-provider',
    'session.create',
    'session.end',
    'session.revoke',
    'session.step-up',
    'session.step-up-by-code',
    'session.step-up-by-provider',
    'sign-in-policy.set',
    'token.create',
    'token.refresh',
    'token.revoke',
  ],
  'It is the approval itself, or ends the request.': [
    'approval.approve',
    'approval.reject',
    'approval.withdraw',
  ],
  'Holders of offline keys agree to it by their signatures.': [
    'proposal.apply',
    'proposal.create',
    'proposal.reject',
    'proposal.sign',
    'trust.create-online-key',
  ],
  'It stores what no device runs before holders have signed it.': ['release.create'],
  'A device says which pin of the server it keeps.': ['device.confirm-pin'],
  'The device comes in by a provisioning key that people made.': ['device.register'],
  'A device changes its own name, by which nothing is decided.': ['device.set-metadata'],
  'The fleet has no device; each move into it counts.': ['fleet.create', 'fleet.remove'],
  'Only devices that are new come in by it.': [
    'foreign-device.create',
    'gateway-token.create',
    'provisioning-key.create',
  ],
  'Devices that came in by it stay.': ['provisioning-key.revoke'],
  'It brings an update to an end, and no other one.': ['foreign-device.cancel'],
  'It changes when machines restart, not what they run.': [
    'fleetlock-key.create',
    'fleetlock-key.revoke',
    'reboot-lock.release',
  ],
  'It says what is known of releases; what devices run is as it was.': [
    'vex.import',
    'vex.set',
    'vex.withdraw',
    'vulnerability.import',
  ],
  'It marks what a person has looked at.': ['access-review.create'],
  'It changes nothing.': ['rollout.check'],
  'It stops what was begun: that must wait for nobody.': ['rollout.abort', 'rollout.pause'],
  'It bounds what builders may push; what devices run is as it was.': ['product.set-quota'],
  'It names a product to clients; devices stay in their fleets.': ['omaha-app.set'],
  'It changes by which names clients find the server, not what devices install.': [
    'certificate.add-name',
    'certificate.remove-name',
  ],
  'It changes by which key clients know the server, not what devices install.': [
    'server-key.announce',
    'server-key.use-next',
  ],
  'It says how a report of a flaw is handled, and changes no device.': [
    'case.answer',
    'case.assign',
    'case.move',
    'case.note',
    'case.open',
    'case.read-in',
    'case.read-out',
  ],
  'It tells people of a flaw; what devices run is as it was.': [
    'advisory.create',
    'advisory.edit',
    'advisory.publish',
    'advisory.review',
    'advisory.set-openpgp-key',
    'advisory.set-publisher',
    'advisory.sign',
    'advisory.withdraw',
  ],
  'It hands nothing out: that is what opening a lease does.': [
    'lease.end',
    'lease.request',
    'stored-credential.add',
    'stored-credential.remove',
    'stored-credential.replace',
  ],
  'It changes values that an application reads, not what is installed.': [
    'secret.remove',
    'secret.seal',
    'secret.set',
    'secret.set-held',
    'variable.remove',
    'variable.set',
  ],
} as const

export type GuardedRoute = keyof typeof guarded
export type UnguardedRoute = (typeof unguarded)[keyof typeof unguarded][number]
export type KindOf<Name extends GuardedRoute> = (typeof guarded)[Name]
