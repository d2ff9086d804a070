access_reviews.id text not null
access_reviews.at timestamp with time zone not null
access_reviews.by text not null
access_reviews.reviewer text not null
access_reviews.grants_count integer not null
access_reviews.grants_sha256 bytea not null
account_keys.id text not null
account_keys.person_id text not null
account_keys.name text not null
account_keys.kind text not null
account_keys.algorithm text not null
account_keys.fingerprint text not null
account_keys.public_key text not null
account_keys.created_at timestamp with time zone not null
account_keys.created_by text not null
account_keys.confirmed_at timestamp with time zone
acme_challenges.token text not null
acme_challenges.name text not null
acme_challenges.answer text not null
advisories.id text not null
advisories.case_id text not null
advisories.name text
advisories.sealed bytea not null
advisories.revision integer not null
advisories.state text not null
advisories.edited_by text not null
advisories.reviewed_by text
advisories.opened_at timestamp with time zone not null
advisory_publisher.only_row boolean not null default true
advisory_publisher.publisher jsonb not null
advisory_publisher.openpgp_key text
advisory_publisher.openpgp_fingerprint text
advisory_publisher.set_at timestamp with time zone not null
advisory_publisher.set_by text not null
advisory_publisher.serial bigint not null
advisory_versions.advisory_id text not null
advisory_versions.version integer not null
advisory_versions.at timestamp with time zone not null
advisory_versions.what text not null
advisory_versions.content jsonb not null
advisory_versions.withdrawn_because text
advisory_versions.csaf text not null
advisory_versions.signature text
advisory_versions.published_by text not null
advisory_versions.reviewed_by text
approval_policy.only_row boolean not null default true
approval_policy.release_devices_above integer
approval_policy.device_removal boolean not null
approval_policy.set_at timestamp with time zone not null
approval_policy.set_by text not null
approval_policy.credential_lease boolean not null default false
approvals.id text not null
approvals.state text not null
approvals.action text not null
approvals.subject text not null
approvals.call_sha256 bytea not null
approvals.effect jsonb not null
approvals.effect_sha256 bytea not null
approvals.devices_max integer
approvals.permission text not null
approvals.fleet text
approvals.product text
approvals.principal text not null
approvals.requested_by text not null
approvals.requested_at timestamp with time zone not null
approvals.expires_at timestamp with time zone not null
approvals.decided_by text
approvals.decided_at timestamp with time zone
approvals.reason text
approvals.from_fleet text
assertion_ids.device text not null
assertion_ids.jti text not null
assertion_ids.expires_at timestamp with time zone not null
audit_entries.id bigint not null
audit_entries.entry bytea not null
audit_entries.leaf_index bigint
case_alarms.case_id text not null
case_alarms.clock text not null
case_alarms.due_at timestamp with time zone not null
case_alarms.state text not null
case_alarms.raised_at timestamp with time zone not null
case_entries.id text not null
case_entries.case_id text not null
case_entries.at timestamp with time zone not null
case_entries.by text not null
case_entries.kind text not null
case_entries.sealed bytea not null
case_readers.case_id text not null
case_readers.reader text not null
case_readers.read_in_at timestamp with time zone not null
case_readers.read_in_by text not null
cases.id text not null
cases.sealed bytea not null
cases.report text not null
cases.embargo text not null
cases.embargo_until timestamp with time zone
cases.knowledge text not null
cases.handler text
cases.reporter_sha256 bytea
cases.opened_at timestamp with time zone not null
cases.acknowledged_at timestamp with time zone
cases.answered_at timestamp with time zone
cases.last_answer_at timestamp with time zone
cases.waiting_since timestamp with time zone
cases.closed_at timestamp with time zone
components.id bigint not null
components.sha256 bytea not null
components.purl text not null
components.name text not null
components.version text not null
components.ecosystem text not null
components.release text not null
components.subject_name text not null
components.subject_version text not null
components.subject_key text not null
components.version_key bytea
components.is_compared boolean not null default false
ddi_actions.device text not null
ddi_actions.id integer not null
ddi_actions.product text not null
ddi_actions.version text not null
ddi_actions.sha256 text not null
ddi_actions.counter bigint not null
ddi_actions.rollout text
ddi_actions.attempt integer
ddi_actions.state text not null
ddi_actions.is_cancel_rejected boolean not null default false
ddi_actions.statuses_count integer not null default 0
ddi_actions.messages jsonb not null default '[]'::jsonb
ddi_actions.created_at timestamp with time zone not null
ddi_actions.changed_at timestamp with time zone not null
ddi_actions.closed_at timestamp with time zone
ddi_actions.cancel_asked_at timestamp with time zone
device_reports.device text not null
device_reports.sequence bigint not null
device_reports.report bytea not null
device_reports.signature bytea not null
device_reports.received_at timestamp with time zone not null
device_states.device text not null
device_states.seen_at timestamp with time zone not null
device_states.reported_at timestamp with time zone not null
device_states.verified_at timestamp with time zone
device_states.digest text not null
device_states.fleet text not null
device_states.hardware text
device_states.tags jsonb not null
device_states.updates jsonb not null default '[]'::jsonb
devices.id text not null
devices.fleet text not null
devices.key_id text
devices.public_key jsonb
devices.name text
devices.platform text not null
devices.hardware text
devices.agent_version text not null
devices.tags jsonb not null
devices.provisioning_key text
devices.registered_at timestamp with time zone not null
devices.protocol text not null default 'agent'::text
devices.own_changes_used_until timestamp with time zone
devices.clock_offset_seconds integer
devices.reports_pruned_to bigint
devices.enrolment jsonb
findings.vulnerability bigint not null
findings.component bigint not null
findings.verdict text not null
findings.fixed text
findings.confidence text
findings.reason text
findings.found_at timestamp with time zone not null
first_owner_code.only_row boolean not null default true
first_owner_code.code_sha256 bytea not null
fleet_samples.fleet text not null
fleet_samples.at timestamp with time zone not null
fleet_samples.devices_count bigint not null
fleet_samples.seen_count bigint not null
fleet_samples.versions jsonb not null
fleetlock_keys.id text not null
fleetlock_keys.fleet text not null
fleetlock_keys.secret_sha256 bytea not null
fleetlock_keys.created_at timestamp with time zone not null
fleetlock_keys.created_by text not null
fleetlock_keys.revoked_at timestamp with time zone
fleets.name text not null
fleets.product text not null
fleets.channel text not null
fleets.poll_seconds integer not null
fleets.pinned_version text
fleets.updates_enabled boolean not null
fleets.created_at timestamp with time zone not null
fleets.follow text not null default 'newest'::text
fleets.baseline_version text
fleets.baseline_sha256 text
fleets.reboot jsonb not null default '{"strategy": "immediate"}'::jsonb
fleets.baseline_counter bigint
fleets.shared_identity text not null default 'tell'::text
fleets.config_version integer not null default 0
fleets.removed_at timestamp with time zone
foreign_devices.device text not null
foreign_devices.protocol text not null
foreign_devices.external_id text
foreign_devices.home_fleet text not null
foreign_devices.secret_sha256 bytea
foreign_devices.gateway text
foreign_devices.attributes jsonb not null default '{}'::jsonb
foreign_devices.attributes_at timestamp with time zone
foreign_devices.token_made_by text
gateway_tokens.id text not null
gateway_tokens.fleet text not null
gateway_tokens.platform text not null
gateway_tokens.hardware text
gateway_tokens.secret_sha256 bytea not null
gateway_tokens.uses_left integer not null
gateway_tokens.created_at timestamp with time zone not null
gateway_tokens.created_by text not null
gateway_tokens.revoked_at timestamp with time zone
hearing.id smallint not null default 1
hearing.heard_at timestamp with time zone
hearing.gaps jsonb not null default '[]'::jsonb
identities.provider text not null
identities.subject text not null
identities.person_id text not null
identities.account text not null
identities.created_at timestamp with time zone not null
identities.last_used_at timestamp with time zone
identity_providers.name text not null
identity_providers.title text not null
identity_providers.issuer text not null
identity_providers.client_id text not null
identity_providers.client_secret_sealed bytea
identity_providers.ca_pem text
identity_providers.groups_claim text
identity_providers.grants jsonb not null
identity_providers.created_at timestamp with time zone not null
identity_providers.changed_at timestamp with time zone not null
identity_providers.changed_by text not null
identity_providers.kind text not null default 'oidc'::text
identity_traces.device text not null
identity_traces.left_boots jsonb not null
identity_traces.went_back_at jsonb not null
identity_traces.shared_since timestamp with time zone
invitations.id text not null
invitations.code_sha256 bytea not null
invitations.name text
invitations.email text
invitations.person_id text
invitations.role text not null
invitations.products text[]
invitations.fleets text[]
invitations.created_at timestamp with time zone not null
invitations.created_by text not null
invitations.expires_at timestamp with time zone not null
invitations.used_at timestamp with time zone
invitations.revoked_at timestamp with time zone
invitations.denied_by text[] not null default '{}'::text[]
kept_pins.device text not null
kept_pins.pin text not null
kept_pins.kept_at timestamp with time zone not null
last_reports.device text not null
last_reports.report jsonb not null
leases.id text not null
leases.credential text not null
leases.credential_id text not null
leases.reason text not null
leases.seconds integer not null
leases.requested_by text not null
leases.requested_at timestamp with time zone not null
leases.version integer
leases.opened_at timestamp with time zone
leases.expires_at timestamp with time zone
leases.ended_at timestamp with time zone
leases.ended_by text
leases.end_reason text
leases.account text
leases.account_made_at timestamp with time zone
leases.account_gone_at timestamp with time zone
leases.account_failed_at timestamp with time zone
lifetime_alarms.role text not null
lifetime_alarms.version integer not null
lifetime_alarms.level integer not null
lifetime_alarms.raised_at timestamp with time zone not null
log_state.only_row boolean not null default true
log_state.size bigint not null
log_state.root bytea not null
log_state.checkpoint text not null
log_state.signed_at timestamp with time zone not null
log_tiles.level integer not null
log_tiles.index bigint not null
log_tiles.hashes bytea not null
omaha_apps.product text not null
omaha_apps.app_id text not null
omaha_apps.changed_at timestamp with time zone not null
omaha_apps.changed_by text not null
pairings.id text not null
pairings.secret_sha256 bytea not null
pairings.user_code text not null
pairings.machine text not null
pairings.address text not null
pairings.network text not null
pairings.role text
pairings.products text[]
pairings.fleets text[]
pairings.lifetime_seconds integer not null
pairings.created_at timestamp with time zone not null
pairings.expires_at timestamp with time zone not null
pairings.state text not null default 'waiting'::text
pairings.decided_by text
passkeys.id text not null
passkeys.person_id text not null
passkeys.rp_id text not null
passkeys.credential_id text not null
passkeys.public_key bytea not null
passkeys.sign_count bigint not null
passkeys.transports text[] not null
passkeys.is_backed_up boolean not null
passkeys.name text not null
passkeys.created_at timestamp with time zone not null
passkeys.last_used_at timestamp with time zone
passwords.person_id text not null
passwords.name text not null
passwords.salt bytea not null
passwords.hash bytea not null
passwords.memory_kib integer not null
passwords.passes integer not null
passwords.totp_sealed bytea not null
passwords.totp_step bigint not null
passwords.created_at timestamp with time zone not null
passwords.last_used_at timestamp with time zone
past_releases.device text not null
past_releases.sha256 text not null
past_releases.since timestamp with time zone not null
past_releases.until timestamp with time zone not null
people.id text not null
people.name text not null
people.email text
people.role text not null
people.products text[]
people.fleets text[]
people.created_at timestamp with time zone not null
people.created_by text not null
people.disabled_at timestamp with time zone
people.last_sign_in_at timestamp with time zone
people.let_in_by text not null
people.granted_by_provider text
people.counts_as text
people.granted_at timestamp with time zone
people.granted_by text
people.denied_by text[] not null default '{}'::text[]
product_content.product text not null
product_content.digest text not null
product_content.bytes bigint not null
product_content.added_at timestamp with time zone not null
product_quotas.product text not null
product_quotas.bytes bigint not null
product_quotas.changed_at timestamp with time zone not null
product_quotas.changed_by text not null
product_uploads.id text not null
product_uploads.product text not null
product_uploads.actor text not null
product_uploads.bytes bigint not null
product_uploads.used_at timestamp with time zone not null
proposals.id text not null
proposals.kind text not null
proposals.title text not null
proposals.state text not null
proposals.document bytea not null
proposals.created_at timestamp with time zone not null
proposals.created_by text not null
proposals.closed_at timestamp with time zone
proposals.closed_reason text
proposals.roles text[] not null
provisioning_keys.id text not null
provisioning_keys.fleet text not null
provisioning_keys.secret_sha256 bytea not null
provisioning_keys.uses_left integer not null
provisioning_keys.expires_at timestamp with time zone not null
provisioning_keys.created_at timestamp with time zone not null
provisioning_keys.created_by text not null
provisioning_keys.revoked_at timestamp with time zone
provisioning_keys.enrolment_key_id text
reboot_groups.fleet text not null
reboot_locks.id text not null
reboot_locks.fleet text not null
reboot_locks.kind text not null
reboot_locks.holder text not null
reboot_locks.device text
reboot_locks.sha256 text
reboot_locks.sequence bigint
reboot_locks.taken_at timestamp with time zone not null
reboot_locks.asked_at timestamp with time zone not null
reboot_locks.alarmed_at timestamp with time zone
record_imports.ecosystem text not null
record_imports.imported_at timestamp with time zone not null
record_imports.newest_at timestamp with time zone not null
recorded_pushes.repository text not null
recorded_pushes.tag text not null
recorded_pushes.digest text not null
recovery_codes.selector text not null
recovery_codes.person_id text not null
recovery_codes.salt bytea not null
recovery_codes.hash bytea not null
recovery_codes.used_at timestamp with time zone
release_components.component bigint not null
release_components.sbom bigint not null
release_counts.sha256 text not null
release_counts.platform text not null
release_counts.fleet text not null
release_counts.heard_count bigint not null
release_counts.silent_count bigint not null
release_counts.counted_at timestamp with time zone
release_files.digest text not null
release_files.size bigint not null
release_files.sha1 bytea not null
release_files.md5 bytea not null
release_files.created_at timestamp with time zone not null
releases.product text not null
releases.version text not null
releases.kind text not null
releases.digest text not null
releases.length bigint not null
releases.total_bytes bigint not null
releases.platforms jsonb not null
releases.created_at timestamp with time zone not null
releases.created_by text not null
removed_devices.device text not null
removed_devices.key_id text
removed_devices.removed_at timestamp with time zone not null
removed_foreign_devices.gateway text not null
removed_foreign_devices.external_id text not null
removed_foreign_devices.removed_at timestamp with time zone not null
reviewed_grants.review text not null
reviewed_grants.key text not null
reviewed_grants.seen jsonb not null
roles.name text not null
roles.purpose text not null
roles.allows text[] not null
roles.denies text[] not null
roles.version integer not null
roles.created_at timestamp with time zone not null
roles.created_by text not null
roles.changed_at timestamp with time zone not null
roles.changed_by text not null
rollout_samples.rollout text not null
rollout_samples.at timestamp with time zone not null
rollout_samples.waves jsonb not null
rollout_waves.rollout text not null
rollout_waves.wave integer not null
rollout_waves.members_counted_at timestamp with time zone
rollout_waves.opened_at timestamp with time zone
rollout_waves.success_since timestamp with time zone
rollout_waves.approved_at timestamp with time zone
rollout_waves.approved_by text
rollout_waves.offered_count bigint not null default 0
rollout_waves.in_flight_count bigint not null default 0
rollout_waves.healthy_count bigint not null default 0
rollout_waves.failed_count bigint not null default 0
rollout_waves.failures_accepted_count bigint not null default 0
rollout_waves.superseded_count bigint not null default 0
rollout_waves.waiting_count bigint
rollout_waves.silent_count bigint
rollout_waves.moved_since_count bigint not null default 0
rollouts.id text not null
rollouts.fleet text not null
rollouts.product text not null
rollouts.channel text not null
rollouts.version text not null
rollouts.sha256 text not null
rollouts.counter bigint not null
rollouts.policy jsonb not null
rollouts.from_sha256 text
rollouts.way_back_of text
rollouts.state text not null
rollouts.stop_code text
rollouts.stop_reason text
rollouts.revision bigint not null
rollouts.created_at timestamp with time zone not null
rollouts.created_by text not null
rollouts.start_at timestamp with time zone not null
rollouts.ended_at timestamp with time zone
rollouts.clock_at timestamp with time zone not null
rollouts.waves_open_count integer not null
rollouts.period_index bigint not null
rollouts.period_offered_count bigint not null
rollouts.rate_next_ms double precision
rollouts.failures_accepted_at timestamp with time zone
rollouts.is_settled boolean not null
rollouts.first_place bigint
rollouts.stop_values jsonb
rollouts.devices_counted bigint not null default 0
rollouts.policy_version integer not null default 1
rollouts.policy_changes jsonb not null default '[]'::jsonb
running_releases.device text not null
running_releases.sha256 text not null
running_releases.since timestamp with time zone not null
sboms.id bigint not null
sboms.product text not null
sboms.version text not null
sboms.platform text not null
sboms.sha256 text not null
sboms.state text not null
sboms.why text
sboms.components_count integer not null default 0
sboms.others_count integer not null default 0
sboms.is_incomplete boolean not null default false
sboms.read_at timestamp with time zone not null
sboms.ecosystems text[] not null default '{}'::text[]
schema_migrations.name text not null
schema_migrations.sha256 text not null
schema_migrations.applied_at timestamp with time zone not null
seals.setting bigint not null
seals.device text not null
seals.version integer not null
seals.sealed bytea not null
secrets.name text not null
secrets.version integer not null
secrets.sealed bytea not null
secrets.created_at timestamp with time zone not null
server_facts.name text not null
server_facts.value text not null
sessions.id text not null
sessions.person_id text not null
sessions.secret_sha256 bytea not null
sessions.created_at timestamp with time zone not null
sessions.last_used_at timestamp with time zone not null
sessions.expires_at timestamp with time zone not null
sessions.stepped_up_at timestamp with time zone
sessions.ended_at timestamp with time zone
sessions.address text not null
sessions.user_agent text not null
sessions.factor text not null
set_aside_records.sha256 bytea not null
set_aside_records.label text not null
set_aside_records.why text not null
set_aside_records.at timestamp with time zone not null
settings.id bigint not null
settings.fleet text
settings.device text
settings.name text not null
settings.version integer not null
settings.value text
settings.holder_key bytea
settings.holder_copy bytea
settings.set_at timestamp with time zone not null
settings.set_by text not null
settings.sealed_at timestamp with time zone
settings.sealed_by text
settings.server_copy bytea
sign_in_policy.only_row boolean not null default true
sign_in_policy.passkey_roles text[] not null
stored_credentials.id text not null
stored_credentials.name text not null
stored_credentials.kind text not null
stored_credentials.version integer not null
stored_credentials.about text not null
stored_credentials.target text
stored_credentials.member_of text
stored_credentials.wrapped bytea not null
stored_credentials.sealed bytea not null
stored_credentials.created_at timestamp with time zone not null
stored_credentials.created_by text not null
stored_credentials.set_at timestamp with time zone not null
stored_credentials.set_by text not null
tokens.id text not null
tokens.name text not null
tokens.role text not null
tokens.products text[]
tokens.fleets text[]
tokens.secret_sha256 bytea not null
tokens.created_at timestamp with time zone not null
tokens.created_by text not null
tokens.expires_at timestamp with time zone not null
tokens.last_used_at timestamp with time zone
tokens.revoked_at timestamp with time zone
tokens.refreshed_from text
tokens.line text not null
tokens.holder text not null
tokens.trades_used_until timestamp with time zone
tokens.networks text[]
tokens.denied_by text[] not null default '{}'::text[]
tuf_metadata.role text not null
tuf_metadata.version integer not null
tuf_metadata.bytes bytea not null
tuf_metadata.published_at timestamp with time zone not null
unapproved_releases.principal text
unapproved_releases.devices integer not null
unapproved_releases.at timestamp with time zone not null
update_events.id bigint not null
update_events.rollout text not null
update_events.device text not null
update_events.attempt integer not null
update_events.state text not null
update_events.code text
update_events.at timestamp with time zone not null
updates.rollout text not null
updates.device text not null
updates.wave integer not null
updates.attempt integer not null
updates.state text not null
updates.code text
updates.offered_at timestamp with time zone not null
updates.offered_sequence bigint not null
updates.has_started boolean not null
updates.changed_at timestamp with time zone not null
updates.deadline_at timestamp with time zone not null
updates.ended_at timestamp with time zone
updates.changes_count integer not null default 0
used_challenges.challenge text not null
used_challenges.expires_at timestamp with time zone not null
vex_statements.id text not null
vex_statements.vulnerability text not null
vex_statements.product text not null
vex_statements.version text not null
vex_statements.purl text not null
vex_statements.status text not null
vex_statements.justification text
vex_statements.impact text not null
vex_statements.action text not null
vex_statements.notes text not null
vex_statements.evidence text[] not null
vex_statements.is_inherited boolean not null
vex_statements.reviewer text not null
vex_statements.author text
vex_statements.authored_at timestamp with time zone
vex_statements.stated_at timestamp with time zone not null
vex_statements.expires_at timestamp with time zone
vex_statements.basis text not null
vex_statements.ended_at timestamp with time zone
vex_statements.ended_by text
vex_statements.ended_why text
vulnerabilities.id bigint not null
vulnerabilities.name text not null
vulnerabilities.modified_at timestamp with time zone not null
vulnerabilities.withdrawn_at timestamp with time zone
vulnerabilities.summary text not null
vulnerabilities.faults text[] not null
vulnerabilities.sha256 bytea not null
vulnerabilities.document text not null
vulnerabilities.imported_at timestamp with time zone not null
vulnerability_names.name text not null
vulnerability_names.vulnerability bigint not null
vulnerability_names.kind text not null
vulnerability_subjects.vulnerability bigint not null
vulnerability_subjects.subject_key text not null
vulnerability_subjects.affected jsonb not null
vulnerability_subjects.lowest bytea
vulnerability_subjects.highest bytea
access_reviews: PRIMARY KEY (id)
account_keys: UNIQUE (fingerprint)
account_keys: CHECK ((kind = ANY (ARRAY['ssh'::text, 'openpgp'::text])))
account_keys: FOREIGN KEY (person_id) REFERENCES people(id)
account_keys: PRIMARY KEY (id)
acme_challenges: PRIMARY KEY (token)
advisories: FOREIGN KEY (case_id) REFERENCES cases(id)
advisories: UNIQUE (name)
advisories: PRIMARY KEY (id)
advisories: CHECK ((state = ANY (ARRAY['draft'::text, 'reviewed'::text, 'published'::text, 'corrected'::text, 'withdrawn'::text])))
advisory_publisher: CHECK (only_row)
advisory_publisher: PRIMARY KEY (only_row)
advisory_versions: FOREIGN KEY (advisory_id) REFERENCES advisories(id)
advisory_versions: PRIMARY KEY (advisory_id, version)
approval_policy: CHECK (only_row)
approval_policy: PRIMARY KEY (only_row)
approvals: PRIMARY KEY (id)
approvals: CHECK ((state = ANY (ARRAY['pending'::text, 'approved'::text, 'rejected'::text, 'withdrawn'::text, 'void'::text, 'expired'::text, 'done'::text])))
assertion_ids: PRIMARY KEY (device, jti)
audit_entries: UNIQUE (leaf_index)
audit_entries: PRIMARY KEY (id)
case_alarms: FOREIGN KEY (case_id) REFERENCES cases(id)
case_alarms: CHECK ((clock = ANY (ARRAY['acknowledge'::text, 'answer'::text, 'update'::text, 'embargo'::text])))
case_alarms: PRIMARY KEY (case_id, clock, due_at, state)
case_alarms: CHECK ((state = ANY (ARRAY['soon'::text, 'broken'::text])))
case_entries: FOREIGN KEY (case_id) REFERENCES cases(id)
case_entries: PRIMARY KEY (id)
case_readers: FOREIGN KEY (case_id) REFERENCES cases(id)
case_readers: PRIMARY KEY (case_id, reader)
cases: CHECK ((embargo = ANY (ARRAY['none'::text, 'proposed'::text, 'active'::text, 'revise'::text, 'exited'::text])))
cases: CHECK ((knowledge ~ '^(vfd|Vfd|VFd|VFD)[pP][xX][aA]$'::text))
cases: PRIMARY KEY (id)
cases: CHECK ((report = ANY (ARRAY['received'::text, 'invalid'::text, 'valid'::text, 'accepted'::text, 'deferred'::text, 'closed'::text])))
cases: UNIQUE (reporter_sha256)
components: PRIMARY KEY (id)
components: UNIQUE (sha256)
ddi_actions: CHECK ((((state = 'canceling'::text) OR ((state = 'running'::text) AND is_cancel_rejected)) = (cancel_asked_at IS NOT NULL)))
ddi_actions: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
ddi_actions: CHECK ((id > 0))
ddi_actions: PRIMARY KEY (device, id)
ddi_actions: CHECK ((state = ANY (ARRAY['running'::text, 'canceling'::text, 'finished'::text, 'failed'::text, 'canceled'::text])))
device_reports: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
device_reports: PRIMARY KEY (device, sequence)
device_states: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
device_states: PRIMARY KEY (device)
devices: FOREIGN KEY (fleet) REFERENCES fleets(name)
devices: CHECK ((((protocol = 'agent'::text) = (key_id IS NOT NULL)) AND ((key_id IS NULL) = (public_key IS NULL))))
devices: UNIQUE (key_id)
devices: PRIMARY KEY (id)
devices: CHECK ((protocol = ANY (ARRAY['agent'::text, 'ddi'::text, 'omaha'::text])))
findings: CHECK (((verdict = 'unknown'::text) = (reason IS NOT NULL)))
findings: FOREIGN KEY (component) REFERENCES components(id) ON DELETE CASCADE
findings: PRIMARY KEY (vulnerability, component)
findings: CHECK ((verdict = ANY (ARRAY['affected'::text, 'unknown'::text])))
findings: FOREIGN KEY (vulnerability) REFERENCES vulnerabilities(id) ON DELETE CASCADE
first_owner_code: CHECK (only_row)
first_owner_code: PRIMARY KEY (only_row)
fleet_samples: FOREIGN KEY (fleet) REFERENCES fleets(name)
fleet_samples: PRIMARY KEY (fleet, at)
fleetlock_keys: FOREIGN KEY (fleet) REFERENCES fleets(name)
fleetlock_keys: PRIMARY KEY (id)
fleets: CHECK ((((baseline_version IS NULL) = (baseline_sha256 IS NULL)) AND ((baseline_version IS NULL) = (baseline_counter IS NULL))))
fleets: CHECK ((follow = ANY (ARRAY['newest'::text, 'rollouts'::text])))
fleets: PRIMARY KEY (name)
foreign_devices: CHECK (((secret_sha256 IS NULL) <> (gateway IS NULL)))
foreign_devices: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
foreign_devices: FOREIGN KEY (gateway) REFERENCES gateway_tokens(id)
foreign_devices: FOREIGN KEY (home_fleet) REFERENCES fleets(name)
foreign_devices: PRIMARY KEY (device)
foreign_devices: CHECK ((protocol = ANY (ARRAY['ddi'::text, 'omaha'::text])))
gateway_tokens: FOREIGN KEY (fleet) REFERENCES fleets(name)
gateway_tokens: PRIMARY KEY (id)
gateway_tokens: CHECK ((uses_left >= 0))
hearing: CHECK ((id = 1))
hearing: PRIMARY KEY (id)
identities: FOREIGN KEY (person_id) REFERENCES people(id)
identities: PRIMARY KEY (provider, subject)
identities: FOREIGN KEY (provider) REFERENCES identity_providers(name)
identities: UNIQUE (provider, person_id)
identity_providers: CHECK ((kind = ANY (ARRAY['oidc'::text, 'github'::text])))
identity_providers: PRIMARY KEY (name)
identity_traces: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
identity_traces: PRIMARY KEY (device)
invitations: UNIQUE (code_sha256)
invitations: FOREIGN KEY (person_id) REFERENCES people(id)
invitations: PRIMARY KEY (id)
kept_pins: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
kept_pins: PRIMARY KEY (device)
last_reports: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
last_reports: PRIMARY KEY (device)
leases: UNIQUE (account)
leases: PRIMARY KEY (id)
lifetime_alarms: PRIMARY KEY (role, version, level)
log_state: CHECK (only_row)
log_state: PRIMARY KEY (only_row)
log_tiles: PRIMARY KEY (level, index)
omaha_apps: PRIMARY KEY (product)
pairings: CHECK (((state = 'waiting'::text) = (decided_by IS NULL)))
pairings: CHECK (((role IS NOT NULL) OR (state <> ALL (ARRAY['approved'::text, 'used'::text]))))
pairings: FOREIGN KEY (decided_by) REFERENCES people(id)
pairings: PRIMARY KEY (id)
pairings: CHECK ((state = ANY (ARRAY['waiting'::text, 'approved'::text, 'refused'::text, 'used'::text])))
pairings: UNIQUE (user_code)
passkeys: UNIQUE (credential_id)
passkeys: FOREIGN KEY (person_id) REFERENCES people(id)
passkeys: PRIMARY KEY (id)
passwords: UNIQUE (name)
passwords: FOREIGN KEY (person_id) REFERENCES people(id)
passwords: PRIMARY KEY (person_id)
past_releases: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
past_releases: PRIMARY KEY (device, since)
people: CHECK (((role <> 'owner'::text) OR ((products IS NULL) AND (fleets IS NULL))))
people: FOREIGN KEY (granted_by_provider) REFERENCES identity_providers(name)
people: CHECK (((role <> 'owner'::text) OR (denied_by = '{}'::text[])))
people: PRIMARY KEY (id)
product_content: CHECK ((bytes >= 0))
product_content: PRIMARY KEY (product, digest)
product_quotas: CHECK ((bytes >= 0))
product_quotas: PRIMARY KEY (product)
product_uploads: CHECK ((bytes >= 0))
product_uploads: PRIMARY KEY (id)
proposals: PRIMARY KEY (id)
proposals: CHECK ((cardinality(roles) > 0))
proposals: CHECK ((state = ANY (ARRAY['open'::text, 'applied'::text, 'rejected'::text, 'outdated'::text])))
provisioning_keys: FOREIGN KEY (fleet) REFERENCES fleets(name)
provisioning_keys: PRIMARY KEY (id)
provisioning_keys: CHECK ((uses_left >= 0))
reboot_groups: PRIMARY KEY (fleet)
reboot_locks: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
reboot_locks: FOREIGN KEY (fleet) REFERENCES reboot_groups(fleet)
reboot_locks: UNIQUE (fleet, kind, holder)
reboot_locks: CHECK ((kind = ANY (ARRAY['device'::text, 'client'::text])))
reboot_locks: PRIMARY KEY (id)
record_imports: PRIMARY KEY (ecosystem)
recorded_pushes: PRIMARY KEY (repository, tag, digest)
recovery_codes: FOREIGN KEY (person_id) REFERENCES people(id)
recovery_codes: PRIMARY KEY (selector)
release_components: FOREIGN KEY (component) REFERENCES components(id)
release_components: PRIMARY KEY (component, sbom)
release_components: FOREIGN KEY (sbom) REFERENCES sboms(id) ON DELETE CASCADE
release_counts: PRIMARY KEY (sha256, platform, fleet)
release_files: PRIMARY KEY (digest)
releases: PRIMARY KEY (product, version)
removed_devices: UNIQUE (key_id)
removed_devices: PRIMARY KEY (device)
removed_foreign_devices: FOREIGN KEY (gateway) REFERENCES gateway_tokens(id)
removed_foreign_devices: PRIMARY KEY (gateway, external_id)
reviewed_grants: PRIMARY KEY (review, key)
reviewed_grants: FOREIGN KEY (review) REFERENCES access_reviews(id)
roles: PRIMARY KEY (name)
rollout_samples: PRIMARY KEY (rollout, at)
rollout_samples: FOREIGN KEY (rollout) REFERENCES rollouts(id)
rollout_waves: CHECK (((failures_accepted_count >= 0) AND (failures_accepted_count <= failed_count)))
rollout_waves: CHECK ((failed_count >= 0))
rollout_waves: CHECK ((healthy_count >= 0))
rollout_waves: CHECK ((in_flight_count >= 0))
rollout_waves: CHECK ((moved_since_count >= 0))
rollout_waves: CHECK ((offered_count >= 0))
rollout_waves: PRIMARY KEY (rollout, wave)
rollout_waves: FOREIGN KEY (rollout) REFERENCES rollouts(id)
rollout_waves: CHECK ((silent_count >= 0))
rollout_waves: CHECK ((superseded_count >= 0))
rollout_waves: CHECK ((waiting_count >= 0))
rollouts: FOREIGN KEY (fleet) REFERENCES fleets(name)
rollouts: CHECK ((period_offered_count >= 0))
rollouts: PRIMARY KEY (id)
rollouts: CHECK ((jsonb_typeof(policy_changes) = 'array'::text))
rollouts: CHECK ((policy_version >= 1))
rollouts: CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text, 'finished'::text, 'aborted'::text])))
rollouts: FOREIGN KEY (way_back_of) REFERENCES rollouts(id)
running_releases: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
running_releases: PRIMARY KEY (device)
sboms: CHECK (((state = 'read'::text) = (why IS NULL)))
sboms: PRIMARY KEY (id)
sboms: UNIQUE (product, version, platform)
sboms: CHECK ((state = ANY (ARRAY['read'::text, 'missing'::text, 'unusable'::text])))
schema_migrations: PRIMARY KEY (name)
seals: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
seals: PRIMARY KEY (setting, device)
seals: FOREIGN KEY (setting) REFERENCES settings(id) ON DELETE CASCADE
secrets: PRIMARY KEY (name, version)
secrets: CHECK ((version > 0))
server_facts: PRIMARY KEY (name)
sessions: CHECK ((factor = ANY (ARRAY['passkey'::text, 'password'::text, 'provider'::text])))
sessions: FOREIGN KEY (person_id) REFERENCES people(id)
sessions: PRIMARY KEY (id)
set_aside_records: PRIMARY KEY (sha256)
settings: CHECK (((fleet IS NULL) <> (device IS NULL)))
settings: FOREIGN KEY (device) REFERENCES devices(id) ON DELETE CASCADE
settings: UNIQUE NULLS NOT DISTINCT (fleet, device, name)
settings: FOREIGN KEY (fleet) REFERENCES fleets(name) ON DELETE CASCADE
settings: CHECK (((num_nonnulls(value, holder_copy, server_copy) = 1) AND ((holder_key IS NULL) = (holder_copy IS NULL))))
settings: PRIMARY KEY (id)
sign_in_policy: CHECK (only_row)
sign_in_policy: PRIMARY KEY (only_row)
stored_credentials: CHECK (((kind = 'postgresql'::text) = ((target IS NOT NULL) AND (member_of IS NOT NULL))))
stored_credentials: CHECK ((kind = ANY (ARRAY['value'::text, 'postgresql'::text])))
stored_credentials: UNIQUE (name)
stored_credentials: PRIMARY KEY (id)
tokens: PRIMARY KEY (id)
tuf_metadata: PRIMARY KEY (role, version)
tuf_metadata: CHECK ((version > 0))
update_events: PRIMARY KEY (id)
updates: CHECK ((attempt > 0))
updates: PRIMARY KEY (rollout, device)
updates: FOREIGN KEY (rollout) REFERENCES rollouts(id)
used_challenges: PRIMARY KEY (challenge)
vex_statements: CHECK (((ended_at IS NULL) = (ended_why IS NULL)))
vex_statements: CHECK (((NOT is_inherited) OR (expires_at IS NOT NULL)))
vex_statements: CHECK ((ended_why = ANY (ARRAY['replaced'::text, 'withdrawn'::text, 'record_changed'::text])))
vex_statements: PRIMARY KEY (id)
vex_statements: FOREIGN KEY (product, version) REFERENCES releases(product, version)
vex_statements: CHECK ((status = ANY (ARRAY['not_affected'::text, 'affected'::text, 'fixed'::text, 'under_investigation'::text])))
vulnerabilities: UNIQUE (name)
vulnerabilities: PRIMARY KEY (id)
vulnerability_names: CHECK ((kind = ANY (ARRAY['own'::text, 'alias'::text, 'upstream'::text])))
vulnerability_names: PRIMARY KEY (name, vulnerability)
vulnerability_names: FOREIGN KEY (vulnerability) REFERENCES vulnerabilities(id) ON DELETE CASCADE
vulnerability_subjects: PRIMARY KEY (vulnerability, subject_key)
vulnerability_subjects: FOREIGN KEY (vulnerability) REFERENCES vulnerabilities(id) ON DELETE CASCADE
CREATE UNIQUE INDEX access_reviews_pkey ON public.access_reviews USING btree (id)
CREATE UNIQUE INDEX account_keys_fingerprint_key ON public.account_keys USING btree (fingerprint)
CREATE INDEX account_keys_person ON public.account_keys USING btree (person_id)
CREATE UNIQUE INDEX account_keys_pkey ON public.account_keys USING btree (id)
CREATE UNIQUE INDEX acme_challenges_pkey ON public.acme_challenges USING btree (token)
CREATE INDEX advisories_by_case ON public.advisories USING btree (case_id)
CREATE UNIQUE INDEX advisories_name_key ON public.advisories USING btree (name)
CREATE UNIQUE INDEX advisories_pkey ON public.advisories USING btree (id)
CREATE UNIQUE INDEX advisory_publisher_pkey ON public.advisory_publisher USING btree (only_row)
CREATE UNIQUE INDEX advisory_versions_pkey ON public.advisory_versions USING btree (advisory_id, version)
CREATE UNIQUE INDEX approval_policy_pkey ON public.approval_policy USING btree (only_row)
CREATE UNIQUE INDEX approvals_open ON public.approvals USING btree (principal, call_sha256) WHERE (state = ANY (ARRAY['pending'::text, 'approved'::text]))
CREATE UNIQUE INDEX approvals_pkey ON public.approvals USING btree (id)
CREATE INDEX approvals_principal ON public.approvals USING btree (principal, id)
CREATE INDEX assertion_ids_expiry ON public.assertion_ids USING btree (expires_at)
CREATE UNIQUE INDEX assertion_ids_pkey ON public.assertion_ids USING btree (device, jti)
CREATE UNIQUE INDEX audit_entries_leaf_index_key ON public.audit_entries USING btree (leaf_index)
CREATE INDEX audit_entries_pending ON public.audit_entries USING btree (id) WHERE (leaf_index IS NULL)
CREATE UNIQUE INDEX audit_entries_pkey ON public.audit_entries USING btree (id)
CREATE UNIQUE INDEX case_alarms_pkey ON public.case_alarms USING btree (case_id, clock, due_at, state)
CREATE INDEX case_entries_by_case ON public.case_entries USING btree (case_id, id)
CREATE UNIQUE INDEX case_entries_pkey ON public.case_entries USING btree (id)
CREATE INDEX case_readers_by_reader ON public.case_readers USING btree (reader, case_id)
CREATE UNIQUE INDEX case_readers_pkey ON public.case_readers USING btree (case_id, reader)
CREATE UNIQUE INDEX cases_pkey ON public.cases USING btree (id)
CREATE UNIQUE INDEX cases_reporter_sha256_key ON public.cases USING btree (reporter_sha256)
CREATE INDEX components_new ON public.components USING btree (id) WHERE (NOT is_compared)
CREATE UNIQUE INDEX components_pkey ON public.components USING btree (id)
CREATE INDEX components_purl ON public.components USING btree (purl)
CREATE UNIQUE INDEX components_sha256_key ON public.components USING btree (sha256)
CREATE INDEX components_subject ON public.components USING btree (subject_key)
CREATE INDEX ddi_actions_finished ON public.ddi_actions USING btree (device, id) WHERE (state = 'finished'::text)
CREATE UNIQUE INDEX ddi_actions_open ON public.ddi_actions USING btree (device) WHERE (closed_at IS NULL)
CREATE UNIQUE INDEX ddi_actions_pkey ON public.ddi_actions USING btree (device, id)
CREATE UNIQUE INDEX device_reports_pkey ON public.device_reports USING btree (device, sequence)
CREATE UNIQUE INDEX device_states_pkey ON public.device_states USING btree (device)
CREATE INDEX devices_agent_version ON public.devices USING btree (agent_version, id)
CREATE INDEX devices_clock_off ON public.devices USING btree (id) WHERE (abs(clock_offset_seconds) > 60)
CREATE INDEX devices_fleet ON public.devices USING btree (fleet, id)
CREATE UNIQUE INDEX devices_key_id_key ON public.devices USING btree (key_id)
CREATE INDEX devices_name ON public.devices USING btree (name COLLATE "C" NULLS FIRST, id)
CREATE INDEX devices_named ON public.devices USING btree (COALESCE(name, ''::text) COLLATE "C", id)
CREATE UNIQUE INDEX devices_pkey ON public.devices USING btree (id)
CREATE INDEX devices_platform ON public.devices USING btree (platform, id)
CREATE INDEX devices_registered ON public.devices USING btree (registered_at, id)
CREATE INDEX devices_tags ON public.devices USING gin (tags jsonb_path_ops)
CREATE INDEX findings_component ON public.findings USING btree (component)
CREATE UNIQUE INDEX findings_pkey ON public.findings USING btree (vulnerability, component)
CREATE UNIQUE INDEX first_owner_code_pkey ON public.first_owner_code USING btree (only_row)
CREATE UNIQUE INDEX fleet_samples_pkey ON public.fleet_samples USING btree (fleet, at)
CREATE INDEX fleetlock_keys_fleet ON public.fleetlock_keys USING btree (fleet, id)
CREATE UNIQUE INDEX fleetlock_keys_pkey ON public.fleetlock_keys USING btree (id)
CREATE UNIQUE INDEX fleets_pkey ON public.fleets USING btree (name)
CREATE UNIQUE INDEX foreign_devices_external ON public.foreign_devices USING btree (home_fleet, protocol, external_id)
CREATE INDEX foreign_devices_gateway ON public.foreign_devices USING btree (gateway, external_id) WHERE (gateway IS NOT NULL)
CREATE INDEX foreign_devices_maker ON public.foreign_devices USING btree (token_made_by) WHERE (token_made_by IS NOT NULL)
CREATE UNIQUE INDEX foreign_devices_pkey ON public.foreign_devices USING btree (device)
CREATE INDEX gateway_tokens_fleet ON public.gateway_tokens USING btree (fleet, id)
CREATE UNIQUE INDEX gateway_tokens_pkey ON public.gateway_tokens USING btree (id)
CREATE UNIQUE INDEX hearing_pkey ON public.hearing USING btree (id)
CREATE INDEX identities_person ON public.identities USING btree (person_id)
CREATE UNIQUE INDEX identities_pkey ON public.identities USING btree (provider, subject)
CREATE UNIQUE INDEX identities_provider_person_id_key ON public.identities USING btree (provider, person_id)
CREATE UNIQUE INDEX identity_providers_pkey ON public.identity_providers USING btree (name)
CREATE UNIQUE INDEX identity_traces_pkey ON public.identity_traces USING btree (device)
CREATE INDEX identity_traces_shared ON public.identity_traces USING btree (device) WHERE (shared_since IS NOT NULL)
CREATE UNIQUE INDEX invitations_code_sha256_key ON public.invitations USING btree (code_sha256)
CREATE UNIQUE INDEX invitations_pkey ON public.invitations USING btree (id)
CREATE UNIQUE INDEX kept_pins_pkey ON public.kept_pins USING btree (device)
CREATE UNIQUE INDEX last_reports_pkey ON public.last_reports USING btree (device)
CREATE UNIQUE INDEX leases_account_key ON public.leases USING btree (account)
CREATE INDEX leases_by_credential ON public.leases USING btree (credential, id)
CREATE INDEX leases_by_requester ON public.leases USING btree (requested_by, id)
CREATE INDEX leases_open ON public.leases USING btree (expires_at) WHERE ((ended_at IS NULL) OR ((account IS NOT NULL) AND (account_gone_at IS NULL)))
CREATE UNIQUE INDEX leases_pkey ON public.leases USING btree (id)
CREATE UNIQUE INDEX lifetime_alarms_pkey ON public.lifetime_alarms USING btree (role, version, level)
CREATE UNIQUE INDEX log_state_pkey ON public.log_state USING btree (only_row)
CREATE UNIQUE INDEX log_tiles_pkey ON public.log_tiles USING btree (level, index)
CREATE UNIQUE INDEX omaha_apps_pkey ON public.omaha_apps USING btree (product)
CREATE INDEX pairings_expiry ON public.pairings USING btree (expires_at)
CREATE UNIQUE INDEX pairings_pkey ON public.pairings USING btree (id)
CREATE UNIQUE INDEX pairings_user_code_key ON public.pairings USING btree (user_code)
CREATE UNIQUE INDEX passkeys_credential_id_key ON public.passkeys USING btree (credential_id)
CREATE INDEX passkeys_person ON public.passkeys USING btree (person_id)
CREATE UNIQUE INDEX passkeys_pkey ON public.passkeys USING btree (id)
CREATE UNIQUE INDEX passwords_name_key ON public.passwords USING btree (name)
CREATE UNIQUE INDEX passwords_pkey ON public.passwords USING btree (person_id)
CREATE UNIQUE INDEX past_releases_pkey ON public.past_releases USING btree (device, since)
CREATE INDEX past_releases_sha256 ON public.past_releases USING btree (sha256, until)
CREATE INDEX past_releases_until ON public.past_releases USING btree (until)
CREATE UNIQUE INDEX people_pkey ON public.people USING btree (id)
CREATE UNIQUE INDEX product_content_pkey ON public.product_content USING btree (product, digest)
CREATE UNIQUE INDEX product_quotas_pkey ON public.product_quotas USING btree (product)
CREATE INDEX product_uploads_by_actor ON public.product_uploads USING btree (actor)
CREATE INDEX product_uploads_by_product ON public.product_uploads USING btree (product)
CREATE INDEX product_uploads_by_use ON public.product_uploads USING btree (used_at)
CREATE UNIQUE INDEX product_uploads_pkey ON public.product_uploads USING btree (id)
CREATE INDEX proposals_open ON public.proposals USING btree (id) WHERE (state = 'open'::text)
CREATE INDEX proposals_open_roles ON public.proposals USING gin (roles) WHERE (state = 'open'::text)
CREATE UNIQUE INDEX proposals_pkey ON public.proposals USING btree (id)
CREATE UNIQUE INDEX provisioning_keys_enrolment_key ON public.provisioning_keys USING btree (enrolment_key_id)
CREATE INDEX provisioning_keys_fleet ON public.provisioning_keys USING btree (fleet, id)
CREATE UNIQUE INDEX provisioning_keys_pkey ON public.provisioning_keys USING btree (id)
CREATE UNIQUE INDEX reboot_groups_pkey ON public.reboot_groups USING btree (fleet)
CREATE INDEX reboot_locks_device ON public.reboot_locks USING btree (device)
CREATE UNIQUE INDEX reboot_locks_fleet_kind_holder_key ON public.reboot_locks USING btree (fleet, kind, holder)
CREATE UNIQUE INDEX reboot_locks_pkey ON public.reboot_locks USING btree (id)
CREATE UNIQUE INDEX record_imports_pkey ON public.record_imports USING btree (ecosystem)
CREATE UNIQUE INDEX recorded_pushes_pkey ON public.recorded_pushes USING btree (repository, tag, digest)
CREATE INDEX recovery_codes_person ON public.recovery_codes USING btree (person_id)
CREATE UNIQUE INDEX recovery_codes_pkey ON public.recovery_codes USING btree (selector)
CREATE UNIQUE INDEX release_components_pkey ON public.release_components USING btree (component, sbom)
CREATE INDEX release_components_sbom ON public.release_components USING btree (sbom)
CREATE UNIQUE INDEX release_counts_pkey ON public.release_counts USING btree (sha256, platform, fleet)
CREATE UNIQUE INDEX release_files_pkey ON public.release_files USING btree (digest)
CREATE INDEX releases_digest ON public.releases USING btree (product, digest)
CREATE INDEX releases_newest ON public.releases USING btree (product, created_at DESC, version)
CREATE UNIQUE INDEX releases_pkey ON public.releases USING btree (product, version)
CREATE UNIQUE INDEX removed_devices_key_id_key ON public.removed_devices USING btree (key_id)
CREATE UNIQUE INDEX removed_devices_pkey ON public.removed_devices USING btree (device)
CREATE UNIQUE INDEX removed_foreign_devices_pkey ON public.removed_foreign_devices USING btree (gateway, external_id)
CREATE UNIQUE INDEX reviewed_grants_pkey ON public.reviewed_grants USING btree (review, key)
CREATE UNIQUE INDEX roles_pkey ON public.roles USING btree (name)
CREATE UNIQUE INDEX rollout_samples_pkey ON public.rollout_samples USING btree (rollout, at)
CREATE UNIQUE INDEX rollout_waves_pkey ON public.rollout_waves USING btree (rollout, wave)
CREATE INDEX rollouts_fleet ON public.rollouts USING btree (fleet, id)
CREATE UNIQUE INDEX rollouts_pkey ON public.rollouts USING btree (id)
CREATE INDEX rollouts_unsettled ON public.rollouts USING btree (id) WHERE (NOT is_settled)
CREATE UNIQUE INDEX running_releases_pkey ON public.running_releases USING btree (device)
CREATE INDEX running_releases_sha256 ON public.running_releases USING btree (sha256, device)
CREATE UNIQUE INDEX sboms_pkey ON public.sboms USING btree (id)
CREATE UNIQUE INDEX sboms_product_version_platform_key ON public.sboms USING btree (product, version, platform)
CREATE INDEX sboms_sha256 ON public.sboms USING btree (sha256)
CREATE UNIQUE INDEX schema_migrations_pkey ON public.schema_migrations USING btree (name)
CREATE INDEX seals_device ON public.seals USING btree (device)
CREATE UNIQUE INDEX seals_pkey ON public.seals USING btree (setting, device)
CREATE INDEX seals_setting_version ON public.seals USING btree (setting, version)
CREATE UNIQUE INDEX secrets_pkey ON public.secrets USING btree (name, version)
CREATE UNIQUE INDEX server_facts_pkey ON public.server_facts USING btree (name)
CREATE INDEX sessions_expiry ON public.sessions USING btree (expires_at)
CREATE INDEX sessions_person ON public.sessions USING btree (person_id)
CREATE UNIQUE INDEX sessions_pkey ON public.sessions USING btree (id)
CREATE INDEX set_aside_records_at ON public.set_aside_records USING btree (at)
CREATE UNIQUE INDEX set_aside_records_pkey ON public.set_aside_records USING btree (sha256)
CREATE INDEX settings_device ON public.settings USING btree (device) WHERE (device IS NOT NULL)
CREATE UNIQUE INDEX settings_fleet_device_name_key ON public.settings USING btree (fleet, device, name) NULLS NOT DISTINCT
CREATE UNIQUE INDEX settings_pkey ON public.settings USING btree (id)
CREATE UNIQUE INDEX sign_in_policy_pkey ON public.sign_in_policy USING btree (only_row)
CREATE UNIQUE INDEX stored_credentials_name_key ON public.stored_credentials USING btree (name)
CREATE UNIQUE INDEX stored_credentials_pkey ON public.stored_credentials USING btree (id)
CREATE INDEX tokens_holder ON public.tokens USING btree (holder)
CREATE INDEX tokens_line ON public.tokens USING btree (line)
CREATE INDEX tokens_maker ON public.tokens USING btree (created_by)
CREATE UNIQUE INDEX tokens_pkey ON public.tokens USING btree (id)
CREATE UNIQUE INDEX tokens_refreshed_from ON public.tokens USING btree (refreshed_from)
CREATE UNIQUE INDEX tuf_metadata_pkey ON public.tuf_metadata USING btree (role, version)
CREATE INDEX unapproved_releases_principal ON public.unapproved_releases USING btree (principal, at)
CREATE INDEX update_events_device ON public.update_events USING btree (device, id DESC)
CREATE UNIQUE INDEX update_events_pkey ON public.update_events USING btree (id)
CREATE INDEX updates_deadline ON public.updates USING btree (deadline_at) WHERE (ended_at IS NULL)
CREATE INDEX updates_device ON public.updates USING btree (device, offered_at DESC)
CREATE UNIQUE INDEX updates_pkey ON public.updates USING btree (rollout, device)
CREATE INDEX used_challenges_expiry ON public.used_challenges USING btree (expires_at)
CREATE UNIQUE INDEX used_challenges_pkey ON public.used_challenges USING btree (challenge)
CREATE INDEX vex_statements_by_vulnerability ON public.vex_statements USING btree (vulnerability)
CREATE UNIQUE INDEX vex_statements_in_force ON public.vex_statements USING btree (product, version, purl, vulnerability) WHERE (ended_at IS NULL)
CREATE UNIQUE INDEX vex_statements_pkey ON public.vex_statements USING btree (id)
CREATE UNIQUE INDEX vulnerabilities_name_key ON public.vulnerabilities USING btree (name)
CREATE UNIQUE INDEX vulnerabilities_pkey ON public.vulnerabilities USING btree (id)
CREATE UNIQUE INDEX vulnerability_names_pkey ON public.vulnerability_names USING btree (name, vulnerability)
CREATE INDEX vulnerability_names_vulnerability ON public.vulnerability_names USING btree (vulnerability)
CREATE INDEX vulnerability_subjects_key ON public.vulnerability_subjects USING btree (subject_key)
CREATE UNIQUE INDEX vulnerability_subjects_pkey ON public.vulnerability_subjects USING btree (vulnerability, subject_key)
