/**
 * What an export holds of the database: every table and column, named one by one, so that a new one
 * is exported only once somebody has decided in which form. A test compares this with the schema.
 */

export type TableChoice =
  | {
      /** One sentence for whoever reads the export with other tools. */
      readonly about: string
      /** Columns that hold no secret, as they are; names with spaces between them. */
      readonly plain: string
      /** Hashes and salts of secrets: what they were made of is in no export. */
      readonly hashes?: string
      /** Secrets that are encrypted under a key that is in no export. */
      readonly sealed?: string
    }
  | {
      /** Why the whole table is not in an export. */
      readonly leftOut: string
    }

export const tableChoices: Readonly<Record<string, TableChoice>> = {
  access_reviews: {
    about: 'Reviews of access, and who finished them.',
    plain: 'id at by reviewer grants_count grants_sha256',
  },
  account_keys: {
    about: 'SSH and OpenPGP public keys of people.',
    plain:
      'id person_id name kind algorithm fingerprint public_key created_at created_by confirmed_at',
  },
  acme_challenges: {
    leftOut: 'It is empty unless a certificate is being ordered.',
  },
  advisories: {
    about: 'Advisories as they are edited; what they say is sealed.',
    plain: 'id case_id name revision state edited_by reviewed_by opened_at',
    sealed: 'sealed',
  },
  advisory_publisher: {
    about: 'Who publishes advisories, and what they promise.',
    plain: 'only_row publisher openpgp_key openpgp_fingerprint set_at set_by serial',
  },
  advisory_versions: {
    about: 'What the public has been told, version by version.',
    plain:
      'advisory_id version at what content withdrawn_because csaf signature published_by reviewed_by',
  },
  approval_policy: {
    about: 'Which acts need the approval of another person.',
    plain: 'only_row release_devices_above device_removal set_at set_by credential_lease',
  },
  approvals: {
    about: 'Requests to approve such acts, and what became of them.',
    plain:
      'id state action subject call_sha256 effect effect_sha256 devices_max permission fleet product principal requested_by requested_at expires_at decided_by decided_at reason from_fleet',
  },
  assertion_ids: {
    about: 'Assertions of devices that were used and are not expired: none counts twice.',
    plain: 'device jti expires_at',
  },
  audit_entries: {
    about: 'The audit log: each entry, and its place in the tree once it has one.',
    plain: 'id entry leaf_index',
  },
  case_alarms: {
    about: 'Which clocks of cases were said to be about to break, or broken.',
    plain: 'case_id clock due_at state raised_at',
  },
  case_entries: {
    about: 'What was said and done in cases of reported flaws, sealed under the master key.',
    plain: 'id case_id at by kind',
    sealed: 'sealed',
  },
  case_readers: {
    about: 'Who is read in to which case.',
    plain: 'case_id reader read_in_at read_in_by',
  },
  cases: {
    about: 'Cases of reported flaws and how they stand; their titles are sealed.',
    plain:
      'id report embargo embargo_until knowledge handler opened_at acknowledged_at answered_at last_answer_at waiting_since closed_at',
    hashes: 'reporter_sha256',
    sealed: 'sealed',
  },
  components: {
    about: 'Components of releases, each once.',
    plain:
      'id sha256 purl name version ecosystem release subject_name subject_version subject_key version_key is_compared',
  },
  ddi_actions: {
    about: 'Deployments of devices that speak hawkBit DDI.',
    plain:
      'device id product version sha256 counter rollout attempt state is_cancel_rejected statuses_count messages created_at changed_at closed_at cancel_asked_at',
  },
  device_reports: {
    about: 'Reports as devices signed them.',
    plain: 'device sequence report signature received_at',
  },
  device_states: {
    about: 'When each device was heard, and what it said in short.',
    plain: 'device seen_at reported_at verified_at digest fleet hardware tags updates',
  },
  devices: {
    about: 'Devices with their public keys.',
    plain:
      'id fleet key_id public_key name platform hardware agent_version tags provisioning_key registered_at protocol own_changes_used_until clock_offset_seconds reports_pruned_to enrolment',
  },
  findings: {
    about: 'What records of vulnerabilities say of components: affected, or unknown.',
    plain: 'vulnerability component verdict fixed confidence reason found_at',
  },
  first_owner_code: {
    leftOut: 'Every start of a server makes a new one.',
  },
  fleet_samples: {
    about: 'How many devices of a fleet ran what, over time.',
    plain: 'fleet at devices_count seen_count versions',
  },
  fleetlock_keys: {
    about: 'Keys of FleetLock clients.',
    plain: 'id fleet created_at created_by revoked_at',
    hashes: 'secret_sha256',
  },
  fleets: {
    about: 'Fleets and what they follow.',
    plain:
      'name product channel poll_seconds pinned_version updates_enabled created_at follow baseline_version baseline_sha256 reboot baseline_counter shared_identity config_version removed_at',
  },
  foreign_devices: {
    about: 'Devices of other protocols.',
    plain: 'device protocol external_id home_fleet gateway attributes attributes_at token_made_by',
    hashes: 'secret_sha256',
  },
  gateway_tokens: {
    about: 'Tokens with which gateways register devices of other protocols.',
    plain: 'id fleet platform hardware uses_left created_at created_by revoked_at',
    hashes: 'secret_sha256',
  },
  hearing: {
    about: 'When the server could not hear devices.',
    plain: 'id heard_at gaps',
  },
  identities: {
    about: 'Accounts at identity providers, by person.',
    plain: 'provider subject person_id account created_at last_used_at',
  },
  identity_providers: {
    about: 'Identity providers by which people sign in.',
    plain:
      'name kind title issuer client_id ca_pem groups_claim grants created_at changed_at changed_by',
    sealed: 'client_secret_sealed',
  },
  identity_traces: {
    about: 'What tells whether two machines use the identity of one device.',
    plain: 'device left_boots went_back_at shared_since',
  },
  invitations: {
    about: 'Invitations of people.',
    plain:
      'id name email person_id role products fleets created_at created_by expires_at used_at revoked_at denied_by',
    hashes: 'code_sha256',
  },
  kept_pins: {
    about: 'Which devices keep the pin of the next key of the server.',
    plain: 'device pin kept_at',
  },
  last_reports: {
    about: 'The newest report of each device.',
    plain: 'device report',
  },
  leases: {
    about: 'Who asked for stored credentials, why, and had them until when.',
    plain:
      'id credential credential_id reason seconds requested_by requested_at version opened_at expires_at ended_at ended_by end_reason account account_made_at account_gone_at account_failed_at',
  },
  lifetime_alarms: {
    about: 'Alarms about roles that expire, each raised once.',
    plain: 'role version level raised_at',
  },
  log_state: {
    about: 'The newest signed checkpoint of the audit log.',
    plain: 'only_row size root checkpoint signed_at',
  },
  log_tiles: {
    about: 'The hashes of the audit log by tile.',
    plain: 'level index hashes',
  },
  omaha_apps: {
    about: 'Ids of applications in the Omaha protocol, by product.',
    plain: 'product app_id changed_at changed_by',
  },
  product_content: {
    leftOut: 'It is counted from the content itself, which an export holds.',
  },
  product_quotas: {
    about: 'How many bytes each product may hold in the registry.',
    plain: 'product bytes changed_at changed_by',
  },
  product_uploads: {
    leftOut: 'Uploads that have not ended are in no export; whoever sends them begins anew.',
  },
  pairings: {
    leftOut: 'A code waits for ten minutes; whoever waits asks for another.',
  },
  passkeys: {
    about: 'Public keys of the passkeys of people.',
    plain:
      'id person_id rp_id credential_id public_key sign_count transports is_backed_up name created_at last_used_at',
  },
  passwords: {
    about: 'Slow hashes of passwords, and sealed secrets of authenticator apps.',
    plain: 'person_id name memory_kib passes totp_step created_at last_used_at',
    hashes: 'salt hash',
    sealed: 'totp_sealed',
  },
  past_releases: {
    about: 'What devices ran before, and from when until when.',
    plain: 'device sha256 since until',
  },
  people: {
    about: 'People and what they may do.',
    plain:
      'id name email role products fleets created_at created_by disabled_at last_sign_in_at let_in_by granted_by_provider counts_as granted_at granted_by denied_by',
  },
  proposals: {
    about: 'Proposals with the signatures collected so far.',
    plain: 'id kind title state document created_at created_by closed_at closed_reason roles',
  },
  provisioning_keys: {
    about: 'Keys with which devices register.',
    plain: 'id fleet uses_left expires_at created_at created_by revoked_at enrolment_key_id',
    hashes: 'secret_sha256',
  },
  reboot_groups: {
    about: 'Fleets whose restarts are coordinated.',
    plain: 'fleet',
  },
  reboot_locks: {
    about: 'Slots for restarts that are taken.',
    plain: 'id fleet kind holder device sha256 sequence taken_at asked_at alarmed_at',
  },
  record_imports: {
    about: 'Of which ecosystems records of vulnerabilities were imported, and when.',
    plain: 'ecosystem imported_at newest_at',
  },
  recorded_pushes: {
    about: 'Pushes of tags that the audit log has.',
    plain: 'repository tag digest',
  },
  recovery_codes: {
    about: 'Slow hashes of recovery codes.',
    plain: 'selector person_id used_at',
    hashes: 'salt hash',
  },
  release_components: {
    about: 'Which components each bill of materials lists.',
    plain: 'component sbom',
  },
  release_counts: {
    about: 'How many devices run each release, as they were counted last.',
    plain: 'sha256 platform fleet heard_count silent_count counted_at',
  },
  release_files: {
    about: 'Digests of release files by older algorithms, for other protocols.',
    plain: 'digest size sha1 md5 created_at',
  },
  releases: {
    about: 'Releases that were registered, by product and version.',
    plain: 'product version kind digest length total_bytes platforms created_at created_by',
  },
  removed_devices: {
    about: 'Devices that were removed: their keys do not come back.',
    plain: 'device key_id removed_at',
  },
  removed_foreign_devices: {
    about: 'The same of devices of other protocols.',
    plain: 'gateway external_id removed_at',
  },
  reviewed_grants: {
    about: 'The grants that a review of access has seen, as they were.',
    plain: 'review key seen',
  },
  roles: {
    about: 'Roles that owners have made, with what they allow and deny.',
    plain: 'name purpose allows denies version created_at created_by changed_at changed_by',
  },
  rollout_samples: {
    about: 'How far a rollout was, over time.',
    plain: 'rollout at waves',
  },
  rollout_waves: {
    about: 'Waves of rollouts with their counts.',
    plain:
      'rollout wave members_counted_at opened_at success_since approved_at approved_by offered_count in_flight_count healthy_count failed_count failures_accepted_count superseded_count waiting_count silent_count moved_since_count',
  },
  rollouts: {
    about: 'Rollouts with policy and state.',
    plain:
      'id fleet product channel version sha256 counter policy from_sha256 way_back_of state stop_code stop_reason revision created_at created_by start_at ended_at clock_at waves_open_count period_index period_offered_count rate_next_ms failures_accepted_at is_settled first_place stop_values devices_counted policy_version policy_changes',
  },
  running_releases: {
    about: 'What each device runs, and since when it says so.',
    plain: 'device sha256 since',
  },
  sboms: {
    about: 'Bills of materials of releases, or why there is none.',
    plain:
      'id product version platform sha256 state why components_count others_count is_incomplete read_at ecosystems',
  },
  schema_migrations: {
    leftOut: 'The manifest lists them.',
  },
  seals: {
    about: 'Secrets of applications, sealed to the key of each device.',
    plain: 'setting device version',
    sealed: 'sealed',
  },
  secrets: {
    about: 'Secrets of the server, sealed under the master key.',
    plain: 'name version created_at',
    sealed: 'sealed',
  },
  server_facts: {
    about: 'Certificate of the server, and the id of its audit log.',
    plain: 'name value',
  },
  sessions: {
    about: 'Sessions of people in browsers.',
    plain:
      'id person_id created_at last_used_at expires_at stepped_up_at ended_at address user_agent factor',
    hashes: 'secret_sha256',
  },
  set_aside_records: {
    about: 'Records of vulnerabilities that could not be used.',
    plain: 'sha256 label why at',
  },
  settings: {
    about: 'Variables of applications, and secrets sealed to their holder or under the master key.',
    plain: 'id fleet device name version value holder_key set_at set_by sealed_at sealed_by',
    sealed: 'holder_copy server_copy',
  },
  sign_in_policy: {
    about: 'Which roles need a passkey.',
    plain: 'only_row passkey_roles',
  },
  stored_credentials: {
    about: 'Credentials of other systems, without which nobody gets in there.',
    plain: 'id name kind version about target member_of created_at created_by set_at set_by',
    sealed: 'wrapped sealed',
  },
  tokens: {
    about: 'Tokens of people and services.',
    plain:
      'id name role products fleets created_at created_by expires_at last_used_at revoked_at refreshed_from line holder trades_used_until networks denied_by',
    hashes: 'secret_sha256',
  },
  tuf_metadata: {
    about: 'Signed metadata: every stored version of every role.',
    plain: 'role version bytes published_at',
  },
  unapproved_releases: {
    about: 'Releases to devices that needed no approval, which count towards the rule.',
    plain: 'principal devices at',
  },
  update_events: {
    about: 'What each update of a device went through.',
    plain: 'id rollout device attempt state code at',
  },
  updates: {
    about: 'Updates that rollouts have offered to devices.',
    plain:
      'rollout device wave attempt state code offered_at offered_sequence has_started changed_at deadline_at ended_at changes_count',
  },
  used_challenges: {
    about: 'Challenges of sign-ins that were used and are not expired.',
    plain: 'challenge expires_at',
  },
  vex_statements: {
    about: 'What people state of vulnerabilities in releases, and what they stated before.',
    plain:
      'id vulnerability product version purl status justification impact action notes evidence is_inherited reviewer author authored_at stated_at expires_at basis ended_at ended_by ended_why',
  },
  vulnerabilities: {
    about: 'Records of vulnerabilities as they were imported.',
    plain: 'id name modified_at withdrawn_at summary faults sha256 document imported_at',
  },
  vulnerability_names: {
    about: 'By which names a record is found.',
    plain: 'name vulnerability kind',
  },
  vulnerability_subjects: {
    about: 'What a record says of one package.',
    plain: 'vulnerability subject_key affected lowest highest',
  },
}
