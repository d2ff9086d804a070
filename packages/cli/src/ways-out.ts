/**
 * What people can do about each code, and the exit code where it says more than the status of the
 * answer. The unions of the packages that this one may import are closed here: a code that is added
 * there and has no way out does not compile.
 */
import type { AccessRefusal, ApprovalRefusal } from '@seaworthy/fleet/access'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import type { FleetRefusal } from '@seaworthy/fleet/fleets'
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'
import type { RolloutRefusal } from '@seaworthy/fleet/rollouts'
import type { PackRefusal } from '@seaworthy/oci/bundle/pack'
import type { ManifestRefusal } from '@seaworthy/oci/manifests'
import type { OsImageRefusal } from '@seaworthy/oci/os-image'
import type { ReleaseFault } from '@seaworthy/oci/release-content'
import type { KeyCode } from '@seaworthy/trust/keys'
import type { ProposalRefusal } from '@seaworthy/trust/tuf'
import type { ExitName } from './exit-codes.ts'
import type { ReaderFault } from './readers/record.ts'

type Ending = readonly [exit: ExitName, wayOut?: string]
type WithWayOut = readonly [exit: ExitName, wayOut: string]

/** The way out for a command line without a valid token. */
export const signInAgain =
  'Run `seaworthy login URL --pin …` and type the code that it shows into the server’s page, or ask an administrator for a token and add `--token …`.'
const whoMay = 'See `seaworthy whoami` for the role of this token.'
const otherContent =
  'Whoever made the release has to make it again: `seaworthy release create`. Do not sign it.'
const makeAgain =
  'Name a file that `seaworthy proposal export ID -o FILE` or `seaworthy proposal sign ID --key FILE` has written; `seaworthy proposal list` says the ids.'
const deviceSays =
  'This is for devices: nothing that this command line asks for is answered like that. Report it.'

/** The way out where what a server serves is not what the owners signed. */
export const untrusted =
  'None of it was accepted. Try again once; if it happens again, the server is faulty, was replaced, or lies: ask whoever runs it.'

const access = {
  permission_denied: ['notAllowed', whoMay],
  out_of_scope: ['notAllowed', whoMay],
  grant_exceeds_own: ['notAllowed', 'Nobody can give more than they have: `seaworthy whoami`.'],
} satisfies Record<AccessRefusal, WithWayOut>

const approvals = {
  approval_required: [
    'refused',
    'Nothing was done. Once another person has approved it, run the same command again; with --await-approval it waits for that.',
  ],
  approval_void: ['refused', 'Run the same command again to make a new request.'],
  approval_not_found: ['notFound', 'See `seaworthy approval list --all`.'],
  approval_own: ['notAllowed', 'Ask another person who may do it: `seaworthy approval list`.'],
  approval_not_own: ['notAllowed', 'Reject it: `seaworthy approval reject ID --reason TEXT`.'],
  approval_closed: ['refused', 'See `seaworthy approval show ID` for how it ended.'],
  approval_needs_person: ['notAllowed', signInAgain],
  approvals_too_many: [
    'refused',
    'See `seaworthy approval list`, and withdraw requests that are not needed.',
  ],
  approvers_too_few: ['refused', 'Invite one: `seaworthy person invite --role owner`.'],
} satisfies Record<ApprovalRefusal, WithWayOut>

const fleets = {
  fleet_exists: ['refused', 'Change it with `seaworthy fleet set NAME`, or choose another name.'],
  fleets_too_many: [
    'refused',
    'Put the devices into a fleet that there is: `seaworthy fleet list`; tags tell them apart.',
  ],
  fleet_not_found: ['notFound', 'See `seaworthy fleet list` for the fleets there are.'],
  fleet_has_devices: [
    'refused',
    'Move them (`seaworthy device move --fleet NAME --to OTHER`) or remove them first.',
  ],
  fleet_name_ended: [
    'refused',
    'Choose another name: that one stays with the fleet that was removed.',
  ],
  fleet_has_rollouts: [
    'refused',
    'End them first: `seaworthy rollout list --fleet NAME`, `seaworthy rollout abort ROLLOUT`.',
  ],
  channel_not_found: [
    'notFound',
    'See `seaworthy product list` for the products and their channels; a channel counts once its proposal is signed (`seaworthy proposal list`).',
  ],
  enrolment_key_taken: [
    'refused',
    'Run `seaworthy provisioning-key create --sign-with` again: each one makes an enrolment key of its own.',
  ],
  provisioning_key_not_found: ['notFound', 'See `seaworthy provisioning-key list --fleet NAME`.'],
  provisioning_key_used_up: ['notAllowed', deviceSays],
} satisfies Record<FleetRefusal, WithWayOut>

type AskedByDevices = Exclude<
  DeviceRefusal,
  'device_not_found' | 'device_removed' | 'tags_too_many'
>
const devices = {
  device_not_found: ['notFound', 'See `seaworthy device list` for the devices there are.'],
  tags_too_many: ['refused', 'Take some away: `seaworthy device set DEVICE --remove-tag NAME`.'],
  device_removed: [
    'notAllowed',
    'Put a fresh provisioning key into its `agent.json`, and it registers again: `seaworthy provisioning-key create`.',
  ],
} satisfies Record<Exclude<DeviceRefusal, AskedByDevices>, WithWayOut>

const releases = {
  release_exists: ['refused', 'A version never changes: choose another one.'],
  release_not_found: [
    'notFound',
    'See `seaworthy release list PRODUCT` for its versions, or make it with `seaworthy release create`.',
  ],
  release_content_missing: [
    'refused',
    'Push what is missing, or make the release again with `seaworthy release create`.',
  ],
} satisfies Record<ReleaseRefusal, WithWayOut>

/**
 * Faults that occur only in content made elsewhere; the other faults of releases occur in one's own
 * folders and files too.
 */
const contents = {
  bundle_manifest_malformed: [
    'refused',
    'Correct seaworthy.json and make the release again: `seaworthy release create`.',
  ],
  release_malformed: ['refused', otherContent],
  release_mismatch: ['refused', otherContent],
  file_list_mismatch: ['refused', otherContent],
  file_list_malformed: ['refused', otherContent],
  file_list_too_large: ['refused', otherContent],
  zstd_damaged: ['refused', otherContent],
  tar_truncated: ['refused', otherContent],
  tar_header: ['refused', otherContent],
  tar_not_canonical: ['refused', otherContent],
  tar_pax: ['refused', otherContent],
  tar_padding: ['refused', otherContent],
  tar_trailing_bytes: ['refused', otherContent],
  entry_order: ['refused', otherContent],
  entry_duplicate: ['refused', otherContent],
  entry_parent: ['refused', otherContent],
} satisfies Record<
  Exclude<ReleaseFault, PackRefusal | ManifestRefusal | OsImageRefusal>,
  WithWayOut
>

const rollouts = {
  rollout_not_found: ['notFound', 'See `seaworthy rollout list` for the rollouts there are.'],
  rollout_not_active: ['refused', 'See `seaworthy rollout show ROLLOUT` for its state.'],
  rollout_not_paused: ['refused', 'See `seaworthy rollout show ROLLOUT` for its state.'],
  rollout_ended: ['refused', 'Make a new one: `seaworthy rollout create`.'],
  rollout_policy_invalid: ['usage', 'See `seaworthy rollout create --help`, and try --dry-run.'],
  rollout_exists: [
    'refused',
    'See `seaworthy rollout list --fleet NAME`; end it with `seaworthy rollout abort ROLLOUT`.',
  ],
  fleet_follows_newest: [
    'refused',
    'Let it follow rollouts: `seaworthy fleet set FLEET --follow rollouts`. Until then its devices take the newest release of the channel by themselves.',
  ],
  release_not_published: [
    'refused',
    'Publish it first: `seaworthy publish PRODUCT VERSION --channel C`.',
  ],
  release_not_newer: [
    'refused',
    'Devices never go to a lower counter: the signed way back is `seaworthy rollout back ROLLOUT`.',
  ],
  release_not_security: [
    'refused',
    'An emergency is for a release that was published with --security.',
  ],
  rollout_unchanged: ['refused', 'See `seaworthy rollout show ROLLOUT` for its policy.'],
  rollout_changed_meanwhile: [
    'refused',
    'See `seaworthy rollout show ROLLOUT` for what was changed, then run the command again.',
  ],
  rollout_change_too_late: [
    'refused',
    'Abort it, and begin another one: `seaworthy rollout clone ROLLOUT …`.',
  ],
  wave_needs_no_approval: ['refused', 'See `seaworthy rollout show ROLLOUT` for its waves.'],
  wave_approved_already: ['refused', 'See `seaworthy rollout show ROLLOUT` for its waves.'],
  way_back_not_possible: [
    'refused',
    'Name the version to go back to: `seaworthy rollout back ROLLOUT --to VERSION`.',
  ],
} satisfies Record<RolloutRefusal, WithWayOut>

const proposals = {
  proposal_malformed: ['refused', makeAgain],
  proposal_outdated: [
    'refused',
    'Something else was published in between: make it again with `seaworthy proposal rebase ID`.',
  ],
  proposal_refused: [
    'refused',
    'Nothing was signed or published: correct what the message names, and propose it again.',
  ],
  proposal_incomplete: ['refused', 'See `seaworthy proposal show ID` for who has yet to sign.'],
  key_not_authorised: [
    'refused',
    '`seaworthy trust status` says which keys count for which role, `seaworthy key show FILE` the id of a key.',
  ],
  signature_invalid: [
    'refused',
    'Sign it again: the file was made for another proposal, or damaged on its way.',
  ],
  intent_impossible: [
    'refused',
    'See `seaworthy product show PRODUCT` for what is there, and `seaworthy proposal list` for what waits.',
  ],
} satisfies Record<ProposalRefusal, WithWayOut>

const keys = {
  key_malformed: ['refused', 'Name a file that `seaworthy key create` made, or its FILE.pub.'],
  key_unsupported: ['refused', 'Use an Ed25519 or ECDSA P-256 key: `seaworthy key create FILE`.'],
  key_file_malformed: ['refused', 'Name a file that `seaworthy key create` made, or its FILE.pub.'],
  key_file_damaged: ['refused', 'Restore it from its copy: it cannot be repaired.'],
  wrong_passphrase: ['failed', 'Try again; `--passphrase-file` reads the passphrase from a file.'],
} satisfies Record<KeyCode, WithWayOut>

/** Codes of the server's own, which this package does not import. */
const server: Readonly<Record<string, WithWayOut>> = {
  unauthenticated: ['notAllowed', signInAgain],
  too_many_requests: [
    'refused',
    'Wait a minute, and try again. If it was a wrong token, give the right one: `seaworthy login`.',
  ],
  not_initialized: ['refused', 'Run `seaworthy trust init` first.'],
  trust_unavailable: ['unreachable', 'Whoever runs the server finds the reason in its log.'],
  content_checks_waiting: [
    'unreachable',
    'Try again in a minute: the server reads one release of a product after the other.',
  ],
  unavailable: ['unreachable', 'Try again; whoever runs the server finds the reason in its log.'],
  log_unavailable: [
    'unreachable',
    'Try again; whoever runs the server finds the reason in its log.',
  ],
  fleets_remain: [
    'refused',
    'Move their devices (`seaworthy device move --fleet NAME --to OTHER`), then `seaworthy fleet remove NAME`; `--dry-run` counts what is left.',
  ],
  product_not_found: [
    'notFound',
    'See `seaworthy product list`, or make it with `seaworthy product create NAME --kind KIND`; it counts once its proposal is signed.',
  ],
  proposal_not_found: ['notFound', 'See `seaworthy proposal list` for the proposals there are.'],
  proposal_exists: ['refused', 'See `seaworthy proposal list` for the proposals there are.'],
  proposal_closed: ['refused', 'See `seaworthy proposal show ID` for how it ended.'],
  person_not_found: ['notFound', 'See `seaworthy person list` for the people there are.'],
  session_not_found: ['notFound', 'See `seaworthy session list` for the sessions there are.'],
  invitation_not_found: ['notFound', 'Invite again: `seaworthy person invite --role ROLE`.'],
  person_disabled: ['refused', 'Let them in again: `seaworthy person enable PERSON`.'],
  pairing_expired: ['refused', 'Run `seaworthy login` again, and type the new code.'],
  pairing_refused: ['notAllowed', 'Ask the person who refused it.'],
  pairing_decided: ['refused', 'See `seaworthy token list`, and `seaworthy token revoke ID`.'],
  pairing_void: ['notAllowed', 'Run `seaworthy login` again, with somebody who may approve it.'],
  pairings_too_many: ['refused', 'Wait ten minutes, or ask for a token: `seaworthy token create`.'],
  owner_last: ['refused', 'Make another person an owner first, in the browser.'],
  account_key_not_found: ['notFound', 'See `seaworthy account key list` for your keys.'],
  handed_out_too_many: [
    'refused',
    'Revoke those that nobody needs: `seaworthy access report` names what opens something.',
  ],
  account_keys_too_many: ['refused', 'Remove one: `seaworthy account key remove ID`.'],
  policy_loosened: [
    'notAllowed',
    'Name every role of `seaworthy sign-in-policy show` too, or ask an owner.',
  ],
  owner_scoped: ['refused', 'Leave out --product and --fleet, or give another role.'],
  proposal_too_large: [
    'refused',
    'Submit the proposal without what only a file for a machine without network needs.',
  ],
  proposals_too_many: [
    'refused',
    'Apply those that are signed, and reject those that are not needed: `seaworthy proposal list --state open`, `seaworthy proposal reject ID --reason TEXT`.',
  ],
  token_not_found: ['notFound', 'See `seaworthy token list` for the tokens there are.'],
  gateway_token_not_found: ['notFound', 'See `seaworthy gateway-token list --fleet NAME`.'],
  reboot_lock_not_found: [
    'notFound',
    'See `seaworthy reboot-lock list --fleet NAME` for the slots that are taken.',
  ],
  time_zone_unknown: ['usage', 'Name it as the system does, for example Europe/Berlin or UTC.'],
  external_id_taken: ['refused', 'Choose another --name.'],
  variable_not_found: ['notFound', 'See `seaworthy variable list --fleet NAME`.'],
  secret_not_found: ['notFound', 'See `seaworthy secret list --fleet NAME`.'],
  credential_key_missing: [
    'refused',
    'Whoever runs the server starts it with --credential-key-file FILE: docs/CREDENTIALS.md.',
  ],
  credential_key_wrong: [
    'refused',
    'Whoever runs the server finds the reason in its log, and gives it the right key.',
  ],
  stored_credential_malformed: ['refused', 'See `seaworthy credential add --help`.'],
  stored_credential_exists: ['refused', 'Replace it with `seaworthy credential replace NAME`.'],
  stored_credential_not_found: ['notFound', 'See `seaworthy credential list`.'],
  stored_credential_changed: ['refused', 'Look at it, then run the command again.'],
  stored_credential_held: [
    'refused',
    'See `seaworthy credential show NAME`, and `seaworthy credential revoke LEASE`.',
  ],
  stored_credentials_too_many: ['refused', 'See `seaworthy credential list`.'],
  lease_not_found: ['notFound', 'See `seaworthy credential leases`.'],
  lease_not_own: ['notAllowed', 'Ask for one: `seaworthy credential request NAME --reason TEXT`.'],
  lease_closed: ['refused', 'Ask again: `seaworthy credential request NAME --reason TEXT`.'],
  lease_needs_rule: ['notAllowed', 'An owner sets it in the browser, on the page of approvals.'],
  lease_target_failed: [
    'refused',
    'Look at the PostgreSQL and at the account of the credential, then ask again.',
  ],
  leases_too_many: ['refused', 'See `seaworthy credential leases`.'],
  vex_component_not_found: [
    'notFound',
    'See `seaworthy release sbom PRODUCT VERSION` for its components, and `seaworthy release show` for whether the server has read them.',
  ],
  vex_statement_not_found: ['notFound', 'See `seaworthy vex list --state all`.'],
  vex_statement_ended: ['refused', 'See `seaworthy vex history` for what was stated since.'],
  vex_statement_malformed: [
    'usage',
    'not_affected takes --justification or --impact, affected takes --action.',
  ],
  vex_statement_expired: ['usage', 'Give a longer --expires.'],
  case_not_found: ['notFound', 'See `seaworthy case list` for the cases you are read in to.'],
  case_not_taken: ['refused', 'Take it with `seaworthy case assign CASE`.'],
  case_not_opened: [
    'refused',
    'Whoever runs the server finds the reason in its log, and gives it the right master key.',
  ],
  case_full: ['refused', 'Open another one with `seaworthy case open`.'],
  case_has_no_reporter: ['refused', 'Write a note with `seaworthy case note`.'],
  case_embargo_time: ['usage', 'Give --until with propose-embargo, and with nothing else.'],
  case_move_illegal: ['refused', 'See `seaworthy case show CASE` for what is legal now.'],
  case_reader_unfit: ['refused', 'Give them a role that may, then read them in.'],
  case_reader_not_found: ['notFound', 'See `seaworthy case show CASE` for who is read in.'],
  case_readers_too_many: ['refused', 'See `seaworthy case show CASE` for who is read in.'],
  case_handler_stays: ['refused', 'Assign it with `seaworthy case assign CASE --to PERSON`.'],
  setting_of_other_kind: ['refused', 'Remove the one that is there, or choose another name.'],
  configuration_changed: ['refused', 'Run the command again.'],
  configuration_too_large: ['refused', 'Remove what is no longer used, or ship it in a release.'],
  device_elsewhere: ['refused', 'Run the command again: the device was moved meanwhile.'],
  seal_unusable: [
    'refused',
    'A device was removed or moved meanwhile: run `seaworthy secret seal`.',
  ],
}

const readers = {
  fleet_of_other_product: [
    'refused',
    'Nothing was sealed or made. Ask who runs the server; if the fleet was made anew for another product: `seaworthy reader forget --fleet NAME`.',
  ],
  fleet_of_other_channel: [
    'refused',
    'Nothing was made. Ask who runs the server; if the fleet was made anew for another channel: `seaworthy reader forget --fleet NAME`.',
  ],
  reader_exchanged: [
    'refused',
    'Nothing was sealed. No honest server does this, unless the device was set up anew and kept half of its keys: then `seaworthy reader remove KEY`, or `seaworthy reader forget`.',
  ],
  reader_twice: ['refused', untrusted],
  readers_of_other_root: [
    'refused',
    'A record of readers belongs to one installation and its root: use the record of this one, or pair under another name (--server NAME).',
  ],
} satisfies Record<ReaderFault, WithWayOut>

/** Codes of registries, connections, the audit log and of time. */
const others: Readonly<Record<string, Ending>> = {
  not_found: ['notFound'],
  content_missing: ['notFound'],
  unauthorized: ['notAllowed', signInAgain],
  denied: ['notAllowed', whoMay],
  unreachable: ['unreachable', 'Check that the server runs and that the address is right.'],
  timed_out: ['unreachable', 'Check the network, and try again.'],
  pin_mismatch: [
    'refused',
    'This is not the server that was paired, or its key was replaced: compare the pin with its administrator before `seaworthy login`.',
  ],
  tls: [
    'refused',
    'Pair with the pin that `seaworthy up` printed: `seaworthy login URL --pin sha256:…`.',
  ],
  aborted: ['failed'],
  content_coded: [
    'refused',
    'The server or a proxy in front of it compresses signed files: switch that off.',
  ],
  log_truncated: [
    'refused',
    'The server forgot entries of its audit log: an old backup was restored, history was removed, or a stolen log key showed more before. Find out which before going on: `seaworthy log verify --entries` shows what is left, and commands that change only the root still work. Then accept it: `seaworthy log accept --reason …`.',
  ],
  log_forked: [
    'refused',
    'The audit log was rewritten. Do not trust this server until you know why: `seaworthy log verify --entries` shows what is there, and commands that change only the root still work (`seaworthy trust rotate timestamp --new-online-key`). Once you know, accept it: `seaworthy log accept --reason …`.',
  ],
  state_unreadable: [
    'refused',
    'Restore the two files from a backup. Without one, move away what lies there and run `seaworthy login …` again: it begins anew at the same root, and what was seen since is forgotten.',
  ],
  log_key_changed: [
    'refused',
    'The audit log has another key than the one remembered. Find out why before going on.',
  ],
  freeze: [
    'refused',
    'Look at the clock of this machine first. If it is right, the server is down, cut off, or holds back news; if its online keys were stolen or signed a wrong time, a root with new ones ends this: `seaworthy trust rotate timestamp --new-online-key --sign-with FILE`, and the same for snapshot.',
  ],
  lifetime_exceeded: [
    'refused',
    'The clock of the server was wrong, or its online keys were stolen: replace them, `seaworthy trust rotate timestamp --new-online-key --sign-with FILE`, and the same for snapshot.',
  ],
}

/** Codes that say more than their HTTP status or error class does. */
export const endings: Readonly<Record<string, Ending>> = {
  ...access,
  ...approvals,
  ...fleets,
  ...devices,
  ...releases,
  ...contents,
  ...rollouts,
  ...proposals,
  ...keys,
  ...server,
  ...readers,
  ...others,
}
