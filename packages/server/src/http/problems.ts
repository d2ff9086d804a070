/**
 * Every refusal that a client can meet, in one table. A code that a module declares and nobody maps
 * here does not compile. Clients get the `message` of a Refusal or TrustError, which may be shown
 * to anyone; causes stay in the log.
 */
import type { ODataRefusal } from '@seaworthy/api/odata'
import type { AccessRefusal, ApprovalRefusal } from '@seaworthy/fleet/access'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import type { FleetRefusal } from '@seaworthy/fleet/fleets'
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'
import type { RolloutRefusal } from '@seaworthy/fleet/rollouts'
import type { ReleaseFault } from '@seaworthy/oci/release-content'
import { Refusal } from '@seaworthy/std/refusal'
import type { KeyCode } from '@seaworthy/trust/keys'
import type { PublicKeyCode } from '@seaworthy/trust/public-keys'
import type { ProposalRefusal, TrustCode } from '@seaworthy/trust/tuf'
import type { ContentCheckRefusal, StorageRefusal } from '../app/content/index.ts'
import type {
  CertificateRefusal,
  SettingRefusal,
  PersonRefusal,
  LeaseRefusal,
  RebootLockRefusal,
  RoleRefusal,
  ServerRefusal,
} from '../app/refusals.ts'
import type { OverloadRefusal } from '../app/worker/index.ts'
import type { Mapped } from './problem-form.ts'
import { no } from './problem-form.ts'
import { advisoryTable, caseTable, vexTable, vulnerabilityTable } from './flaw-refusals.ts'

/** The refusals of the HTTP layer itself. */
export type HttpRefusal =
  | 'invalid_request'
  | 'unauthenticated'
  | 'route_not_found'
  | 'method_not_allowed'
  | 'body_too_large'
  | 'body_timed_out'
  | 'unsupported_media_type'
  | 'too_many_requests'
  | 'request_cross_site'
  | 'two_credentials'

const notGenuine = (title: string) => no(422, title)

const httpTable = {
  invalid_request: no(400, 'The request is not of the agreed form'),
  unauthenticated: no(401, 'A valid credential is needed'),
  route_not_found: no(404, 'There is nothing at this address'),
  method_not_allowed: no(405, 'The method is not allowed here'),
  body_too_large: no(413, 'The request is too large'),
  body_timed_out: no(408, 'The request took too long'),
  unsupported_media_type: no(415, 'The content type is not the agreed one'),
  too_many_requests: no(429, 'Too many attempts'),
  request_cross_site: no(403, 'The request comes from another site'),
  two_credentials: no(400, 'A request has one credential'),
} satisfies Record<HttpRefusal, Mapped>

const accessTable = {
  permission_denied: no(403, 'Not allowed'),
  out_of_scope: no(403, 'Outside of the scope of this credential'),
  grant_exceeds_own: no(403, 'More than the credential has itself'),
} satisfies Record<AccessRefusal, Mapped>

const roleTable = {
  role_unknown: no(422, 'No such role'),
  role_not_found: no(404, 'No such role'),
  role_not_for_tokens: no(422, 'Not a role of tokens'),
  role_name_taken: no(409, 'There is a role of this name'),
  role_built_in: no(409, 'A built-in role stays as it is'),
  role_contradicts: no(422, 'The role both allows and denies the same'),
  permission_unknown: no(422, 'No such permission'),
  role_changed: no(409, 'The role was changed meanwhile'),
  role_in_use: no(409, 'Somebody holds the role'),
  roles_too_many: no(409, 'Too many roles'),
  review_needs_person: no(403, 'A person must review'),
  review_stale: no(409, 'There is another state meanwhile'),
} satisfies Record<RoleRefusal, Mapped>

const approvalTable = {
  approval_required: no(403, 'Another person must approve this'),
  approval_void: no(409, 'What was approved is no longer valid'),
  approval_not_found: no(404, 'No such request for approval'),
  approval_own: no(403, 'Another person must decide'),
  approval_not_own: no(403, 'The request is somebody else’s'),
  approval_closed: no(409, 'The request is closed'),
  approval_needs_person: no(403, 'Only for people and the tokens that they make'),
  approvals_too_many: no(429, 'Too many requests for approval wait'),
  approvers_too_few: no(409, 'Nobody else could approve'),
} satisfies Record<ApprovalRefusal, Mapped>

const fleetTable = {
  fleet_exists: no(409, 'A fleet of that name exists already'),
  fleets_too_many: no(409, 'Too many fleets'),
  fleet_not_found: no(404, 'No such fleet'),
  fleet_has_rollouts: no(409, 'Rollouts of the fleet are under way'),
  fleet_has_devices: no(409, 'The fleet has devices'),
  fleet_name_ended: no(409, 'A fleet of that name was removed'),
  channel_not_found: no(404, 'No such channel'),
  enrolment_key_taken: no(409, 'The enrolment key belongs to another provisioning key'),
  provisioning_key_not_found: no(404, 'No such provisioning key'),
  provisioning_key_used_up: no(403, 'The provisioning key is used up'),
} satisfies Record<FleetRefusal, Mapped>

const deviceTable = {
  device_not_found: no(404, 'No such device'),
  tags_too_many: no(409, 'The device would have too many tags'),
  device_removed: no(403, 'The device was removed'),
  device_already_registered: no(409, 'The device is registered already'),
  proof_invalid: no(422, 'The proof of possession is not valid'),
  assertion_invalid: no(401, 'The assertion is not of the agreed form'),
  assertion_device_unknown: no(401, 'The assertion is from an unknown device'),
  assertion_signature_invalid: no(401, 'The assertion is not signed by the device'),
  assertion_audience_wrong: no(401, 'The assertion is for another server'),
  assertion_expired: no(401, 'The assertion has expired'),
  assertion_too_early: no(401, 'The assertion is from the future'),
  assertion_challenge_invalid: no(401, 'The challenge in the assertion is not valid'),
  assertion_replayed: no(401, 'The assertion was used before'),
  report_signature_invalid: no(422, 'The signature of the report is not valid'),
  report_signature_missing: no(422, 'The report must be signed'),
  report_sequence_reused: no(409, 'The sequence number was used for another report'),
  identity_shared: no(403, 'Two machines use this identity'),
  changes_too_often: no(429, 'Too many changes'),
  check_ins_too_often: no(429, 'Too many check-ins of one device'),
  check_ins_waiting: no(429, 'Too many check-ins of one device wait'),
  tokens_too_often: no(429, 'Too many tokens of one device'),
  reports_too_often: no(429, 'Too many new reports of one device'),
} satisfies Record<DeviceRefusal, Mapped>

const releaseTable = {
  release_exists: no(409, 'That version exists already'),
  release_not_found: no(404, 'No such release'),
  release_content_missing: no(409, 'Content of the release is missing'),
} satisfies Record<ReleaseRefusal, Mapped>

/** Faults for which a device would refuse the release for good, by the code of the device. */
const contentTable = {
  release_malformed: notGenuine('Not a release'),
  release_mismatch: notGenuine('The content does not match its description'),
  file_list_mismatch: notGenuine('The file list does not match the bundle'),
  file_list_malformed: notGenuine('Not a file list'),
  file_list_too_large: notGenuine('The file list is too large'),
  bundle_manifest_malformed: notGenuine('seaworthy.json cannot be used'),
  manifest_malformed: notGenuine('A manifest is malformed'),
  manifest_not_json: notGenuine('A manifest is not JSON'),
  manifest_too_large: notGenuine('A manifest is too large'),
  manifest_media_type: notGenuine('The media types of a manifest do not agree'),
  file_name: notGenuine('A file of an image has an unusable name'),
  file_name_twice: notGenuine('Two files of an image have one name'),
  os_image_malformed: notGenuine('Not an operating system image'),
  zstd_damaged: notGenuine('A bundle cannot be decompressed'),
  tar_truncated: notGenuine('The archive of a bundle is cut off'),
  tar_header: notGenuine('The archive of a bundle is not a tar archive'),
  tar_not_canonical: notGenuine('The archive of a bundle is not in canonical form'),
  tar_pax: notGenuine('The archive of a bundle is not in canonical form'),
  tar_padding: notGenuine('The archive of a bundle is not in canonical form'),
  tar_trailing_bytes: notGenuine('The archive of a bundle has bytes after its end'),
  entry_kind: notGenuine('A bundle holds something other than files, folders and links'),
  entry_order: notGenuine('The archive of a bundle is not in order'),
  entry_duplicate: notGenuine('A bundle holds an entry twice'),
  entry_twin: notGenuine('Two names of a bundle differ only by case or by how letters are formed'),
  entry_parent: notGenuine('A bundle lacks the folder of an entry'),
  path_unsafe: notGenuine('A path in a bundle is not safe'),
  path_too_long: notGenuine('A path in a bundle is too long'),
  symlink_escapes: notGenuine('A link leads out of its bundle'),
  links_too_long: notGenuine('The links of a bundle lead through too many folders'),
  file_too_large: notGenuine('A file in a bundle is too large'),
  total_too_large: notGenuine('A bundle is too large'),
  too_many_entries: notGenuine('A bundle holds too many entries'),
} satisfies Record<ReleaseFault, Mapped>

const contentCheckTable = {
  content_checks_waiting: no(429, 'Too much content waits to be read'),
  caller_left: no(408, 'The caller went away'),
} satisfies Record<ContentCheckRefusal, Mapped>

const storageTable = {
  quota_exceeded: no(413, 'The product may hold no more'),
  uploads_too_many: no(429, 'Too many uploads have not ended'),
} satisfies Record<StorageRefusal, Mapped>

const rolloutTable = {
  rollout_not_found: no(404, 'No such rollout'),
  rollout_not_active: no(409, 'The rollout is not active'),
  rollout_not_paused: no(409, 'The rollout is not paused'),
  rollout_ended: no(409, 'The rollout has ended'),
  rollout_policy_invalid: no(422, 'The policy is not valid'),
  rollout_exists: no(409, 'The fleet has such a rollout already'),
  fleet_follows_newest: no(409, 'The fleet does not follow rollouts'),
  release_not_published: no(409, 'The release is not published there'),
  release_not_newer: no(409, 'The release is not newer'),
  release_not_security: no(409, 'Not a security release'),
  rollout_unchanged: no(409, 'Nothing would change'),
  rollout_changed_meanwhile: no(409, 'The rollout was changed meanwhile'),
  rollout_change_too_late: no(409, 'Too late for this change'),
  wave_needs_no_approval: no(409, 'The wave needs no approval'),
  wave_approved_already: no(409, 'The wave is approved'),
  way_back_not_possible: no(409, 'This rollback is not possible'),
} satisfies Record<RolloutRefusal, Mapped>

const serverTable = {
  not_initialized: no(409, 'The trust plane is not initialized'),
  trust_unavailable: no(503, 'The stored metadata does not verify'),
  product_not_found: no(404, 'No such product'),
  fleets_remain: no(409, 'Fleets follow it'),
  proposal_not_found: no(404, 'No such proposal'),
  proposal_exists: no(409, 'The proposal was submitted before'),
  proposal_closed: no(409, 'The proposal is closed'),
  proposal_too_large: no(413, 'The proposal is too large'),
  proposals_too_many: no(429, 'Too many proposals are open'),
  online_keys_not_named: no(422, 'The root does not name the keys of this server'),
  token_not_found: no(404, 'No such token'),
  handed_out_too_many: no(409, 'Too many of these work already'),
  refreshes_too_often: no(429, 'The token was refreshed too often'),
  network_malformed: no(400, 'Not a network'),
  network_not_allowed: no(403, 'The token is not for this network'),
  credential_ended: no(401, 'The credential ended meanwhile'),
  rights_changed: no(409, 'The rights changed meanwhile'),
  unavailable: no(503, 'Not available at the moment'),
  log_unavailable: no(503, 'The log is not available'),
  external_id_taken: no(409, 'The fleet has a device of that name'),
  external_id_missing: no(422, 'The device needs a name of its own'),
  device_has_no_token: no(409, 'The device has no token of its own'),
  gateway_token_not_found: no(404, 'No such gateway token'),
  action_not_found: no(404, 'No such action'),
  action_closed: no(410, 'The action is closed'),
  action_quota: no(429, 'Too many statuses'),
  cancel_not_pending: no(409, 'Nothing is being cancelled'),
  time_zone_unknown: no(422, 'No such time zone'),
  confirmation_not_needed: no(409, 'Nothing waits for confirmation'),
} satisfies Record<ServerRefusal, Mapped>

const certificateTable = {
  server_name_malformed: no(422, 'Not a name that a certificate can have'),
  server_name_not_found: no(404, 'The certificate has no such name'),
  server_name_needed: no(409, 'The name is needed'),
  server_names_too_many: no(409, 'Too many names'),
  certificate_from_files: no(409, 'The certificate comes from files'),
  pin_not_announced: no(409, 'The pin is not announced'),
  pin_unconfirmed: no(409, 'Devices have not confirmed the next key'),
} satisfies Record<CertificateRefusal, Mapped>

const personTable = {
  step_up_required: no(403, 'Confirm with your passkey first'),
  host_unnamed: no(409, 'Passkeys need a name of the server'),
  challenge_missing: no(400, 'There is no challenge, or it has expired'),
  challenge_wrong: no(403, 'The answer is to another challenge'),
  challenge_used: no(409, 'The challenge was used before'),
  origin_wrong: no(403, 'The answer was given to another site'),
  passkey_refused: no(401, 'The passkey is not accepted here'),
  passkey_copied: no(401, 'The passkey may have been copied'),
  passkey_known: no(409, 'The passkey is registered already'),
  passkey_not_found: no(404, 'No such passkey'),
  passkey_last: no(409, 'The last way to sign in cannot be removed'),
  passkeys_too_many: no(409, 'Too many passkeys'),
  first_owner_code_wrong: no(403, 'The link is not the newest one'),
  owner_exists: no(409, 'There is an owner already'),
  owner_last: no(409, 'The last owner must stay'),
  owner_scoped: no(422, 'An owner reaches everything'),
  invitation_not_found: no(404, 'No such invitation'),
  invitation_used: no(410, 'The invitation was used'),
  invitation_expired: no(410, 'The invitation has expired'),
  invitation_void: no(410, 'The invitation is no longer valid'),
  person_not_found: no(404, 'No such person'),
  person_disabled: no(403, 'The person may not sign in'),
  session_not_found: no(404, 'No such session'),
  hashes_waiting: no(429, 'Too many secrets wait to be checked'),
  recovery_code_wrong: no(401, 'The recovery code is not valid'),
  pairing_not_found: no(404, 'No such pairing'),
  pairing_expired: no(410, 'The pairing has expired'),
  pairing_refused: no(403, 'The pairing was refused'),
  pairing_decided: no(409, 'The pairing was decided before'),
  pairing_void: no(403, 'The pairing is no longer valid'),
  pairings_too_many: no(429, 'Too many pairings wait'),
  password_wrong: no(401, 'Name, password or code is wrong'),
  password_weak: no(422, 'The password is too easy to guess'),
  password_missing: no(409, 'There is no password'),
  sign_in_name_taken: no(409, 'The name is taken'),
  totp_wrong: no(422, 'The code is wrong'),
  totp_clock_off: no(422, 'The clock of the authenticator is wrong'),
  code_used: no(409, 'The code was used before'),
  passkey_needed: no(403, 'The role needs a passkey'),
  account_key_not_found: no(404, 'No such key'),
  account_key_taken: no(409, 'Somebody has the key'),
  account_keys_too_many: no(409, 'Too many keys'),
  policy_loosened: no(403, 'Only owners let roles do without a passkey'),
  tries_too_many: no(429, 'Too many tries'),
  account_changes_too_often: no(429, 'Too many changes of one account'),
  provider_not_found: no(404, 'No such identity provider'),
  provider_changed: no(409, 'The identity provider was changed meanwhile'),
  provider_issuer_fixed: no(409, 'An identity provider keeps its issuer'),
  provider_scope_wrong: no(422, 'A group cannot give this role'),
  provider_unreachable: no(503, 'The identity provider did not answer'),
  provider_unusable: no(422, 'The identity provider cannot be used'),
  provider_refused: no(401, 'The identity provider refused'),
  provider_answer_wrong: no(401, 'The answer of the identity provider is not accepted'),
  providers_too_many: no(409, 'Too many identity providers'),
  identity_unknown: no(403, 'Nobody here has this account'),
  identity_taken: no(409, 'The account is linked already'),
  identity_missing: no(404, 'The account is not linked'),
  group_missing: no(403, 'No group gives a role'),
  confirmation_stale: no(403, 'The confirmation is not fresh'),
} satisfies Record<PersonRefusal, Mapped>

const odataTable = {
  odata_malformed: no(400, 'Not a question of OData'),
  odata_name_unknown: no(400, 'There is no such name'),
  odata_not_supported: no(400, 'Not supported'),
  odata_too_large: no(400, 'The question asks for too much'),
  odata_not_indexed: no(400, 'No index serves the question'),
  odata_too_slow: no(422, 'The question takes too long'),
  odata_waiting: no(429, 'Too many questions are being answered'),
  odata_not_found: no(404, 'No such entity'),
  odata_dry_run_needed: no(409, 'A dry run comes first'),
  odata_dry_run_stale: no(409, 'What would happen has changed'),
} satisfies Record<ODataRefusal, Mapped>

const leaseTable = {
  credential_key_missing: no(409, 'There is no key for stored credentials'),
  credential_key_wrong: no(409, 'The credential cannot be encrypted or opened'),
  stored_credential_malformed: no(422, 'The credential is not of the agreed form'),
  stored_credential_exists: no(409, 'A credential of that name exists already'),
  stored_credential_not_found: no(404, 'No such credential'),
  stored_credential_changed: no(409, 'The credential was replaced meanwhile'),
  stored_credential_held: no(409, 'Accounts depend on the credential'),
  stored_credentials_too_many: no(409, 'Too many credentials'),
  lease_not_found: no(404, 'No such lease'),
  lease_not_own: no(403, 'Somebody else’s lease'),
  lease_closed: no(409, 'The lease is open or over'),
  lease_needs_rule: no(403, 'Nobody has to agree to leases'),
  lease_target_failed: no(409, 'No account was made'),
  leases_too_many: no(429, 'Too many leases'),
} satisfies Record<LeaseRefusal, Mapped>

const rebootLockTable = {
  reboot_lock_not_found: no(404, 'No such restart slot'),
  fleetlock_key_not_found: no(404, 'No such FleetLock key'),
} satisfies Record<RebootLockRefusal, Mapped>

const settingTable = {
  variable_not_found: no(404, 'No such variable'),
  secret_not_found: no(404, 'No such secret'),
  setting_of_other_kind: no(409, 'The name belongs to a setting of the other kind'),
  configuration_changed: no(409, 'The configuration was changed at the same time'),
  configuration_too_large: no(413, 'Too many or too long variables and secrets'),
  device_elsewhere: no(409, 'The device is in another fleet'),
  seal_unusable: no(422, 'A sealed secret cannot be used'),
} satisfies Record<SettingRefusal, Mapped>

const proposalTable = {
  proposal_malformed: notGenuine('Not a proposal'),
  proposal_outdated: no(409, 'The proposal is outdated'),
  proposal_refused: notGenuine('The proposal breaks a rule'),
  proposal_incomplete: no(409, 'Signatures are missing'),
  key_not_authorised: notGenuine('The key does not count for this role'),
  signature_invalid: notGenuine('A signature is not valid'),
  intent_impossible: notGenuine('This cannot be proposed'),
} satisfies Record<ProposalRefusal, Mapped>

const publicKeyTable = {
  public_key_private: no(422, 'This is a private key'),
  public_key_malformed: no(422, 'Not a public key'),
  public_key_unusable: no(422, 'Keys of this kind are not taken'),
} satisfies Record<PublicKeyCode, Mapped>

const trustTable = {
  metadata_malformed: notGenuine('Malformed metadata'),
  profile_violation: notGenuine('Outside of the profile'),
  unsupported_specification: notGenuine('Another specification'),
  signature_threshold: notGenuine('Not enough signatures'),
  rollback: notGenuine('Older than what is trusted'),
  freeze: notGenuine('Expired'),
  lifetime_exceeded: notGenuine('Valid for too long'),
  mix_and_match: notGenuine('Metadata that does not belong together'),
  wrong_length: notGenuine('Wrong length'),
  wrong_hash: notGenuine('Wrong hash'),
  endless_data: notGenuine('Too long'),
  slow_retrieval: notGenuine('Too slow'),
  root_chain_broken: notGenuine('The chain of roots is broken'),
  metadata_missing: notGenuine('Metadata is missing'),
  target_unknown: notGenuine('Not a signed target'),
  target_path_unusable: notGenuine('A path that cannot name a file'),
  release_malformed: notGenuine('Not a release'),
  wrong_product: notGenuine('Another product'),
  wrong_channel: notGenuine('Another channel'),
  wrong_platform: notGenuine('Another platform'),
  wrong_hardware: notGenuine('Other hardware'),
  counter_below_committed: notGenuine('An older release'),
  below_floor: notGenuine('Below the floor'),
  state_unreadable: notGenuine('The trust state is unreadable'),
} satisfies Record<TrustCode, Mapped>

const keyTable = {
  key_malformed: notGenuine('Malformed key'),
  key_unsupported: notGenuine('Unsupported key'),
  key_file_malformed: notGenuine('Malformed key file'),
  key_file_damaged: notGenuine('Damaged key file'),
  wrong_passphrase: notGenuine('Wrong passphrase'),
} satisfies Record<KeyCode, Mapped>

const overloadTable = {
  overloaded: no(503, 'Too many check-ins at once'),
} satisfies Record<OverloadRefusal['code'], Mapped>

const knownCodes = {
  ...overloadTable,
  ...trustTable,
  ...keyTable,
  ...publicKeyTable,
  ...httpTable,
  ...accessTable,
  ...approvalTable,
  ...roleTable,
  ...fleetTable,
  ...deviceTable,
  ...releaseTable,
  ...contentTable,
  ...contentCheckTable,
  ...storageTable,
  ...rolloutTable,
  ...serverTable,
  ...certificateTable,
  ...personTable,
  ...settingTable,
  ...advisoryTable,
  ...caseTable,
  ...leaseTable,
  ...rebootLockTable,
  ...vexTable,
  ...vulnerabilityTable,
  ...odataTable,
  ...proposalTable,
}

/** A code of a problem document; `internal`, which stands for a bug, is none of them. */
export type KnownCode = keyof typeof knownCodes

/** Status and title of a problem with this code. */
export const describeProblem = (code: KnownCode): Mapped => knownCodes[code]

/** Status and title for a code that may be unknown. */
export const findProblem = (code: string): Mapped | undefined =>
  Object.hasOwn(knownCodes, code) ? knownCodes[code as KnownCode] : undefined

/** What the content of a release may be refused for, by whoever reads it. */
export const contentFaults: readonly KnownCode[] = [
  ...(Object.keys(contentTable) as ReleaseFault[]),
  ...(Object.keys(contentCheckTable) as ContentCheckRefusal[]),
  'release_content_missing',
  'wrong_length',
  'wrong_hash',
  'endless_data',
]

/** The HTTP layer's own refusal, with headers and locations. */
export class HttpError extends Refusal<HttpRefusal> {
  readonly headers: Readonly<Record<string, string>>
  readonly issues: { path: string; message: string }[] | undefined

  constructor(
    code: HttpRefusal,
    publicMessage: string,
    options?: {
      cause?: unknown
      headers?: Readonly<Record<string, string>>
      issues?: { path: string; message: string }[]
    },
  ) {
    super(code, publicMessage, options)
    this.headers = options?.headers ?? {}
    this.issues = options?.issues
  }
}
