-- Everything that the first version keeps. Times are UTC; text that identifies is compared by bytes.

create table secrets (
  name text not null,
  version integer not null check (version > 0),
  sealed bytea not null,
  created_at timestamptz not null,
  primary key (name, version)
);

-- What is public about the server itself: certificates, public halves of online keys.
create table server_facts (
  name text primary key,
  value text not null
);

create table tokens (
  id text primary key,
  name text not null,
  role text not null,
  products text[],
  fleets text[],
  secret_sha256 bytea not null,
  created_at timestamptz not null,
  created_by text not null,
  expires_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz
);

-- The exact bytes of every version of every role, for ever.
create table tuf_metadata (
  role text not null,
  version integer not null check (version > 0),
  bytes bytea not null,
  published_at timestamptz not null,
  primary key (role, version)
);

-- Each lifetime alarm is raised once per version of a role.
create table lifetime_alarms (
  role text not null,
  version integer not null,
  level integer not null,
  raised_at timestamptz not null,
  primary key (role, version, level)
);

create table proposals (
  id text primary key,
  kind text not null,
  title text not null,
  state text not null check (state in ('open', 'applied', 'rejected', 'outdated')),
  document bytea not null,
  created_at timestamptz not null,
  created_by text not null,
  closed_at timestamptz,
  closed_reason text
);
create index proposals_open on proposals (id) where state = 'open';

create table releases (
  product text not null,
  version text not null,
  kind text not null,
  digest text not null,
  length bigint not null,
  total_bytes bigint not null,
  platforms jsonb not null,
  created_at timestamptz not null,
  created_by text not null,
  primary key (product, version)
);
create index releases_digest on releases (product, digest);
create index releases_newest on releases (product, created_at desc, version);

create table fleets (
  name text primary key,
  product text not null,
  channel text not null,
  poll_seconds integer not null,
  pinned_version text,
  updates_enabled boolean not null,
  created_at timestamptz not null
);

create table provisioning_keys (
  id text primary key,
  fleet text not null references fleets (name),
  secret_sha256 bytea not null,
  uses_left integer not null check (uses_left >= 0),
  expires_at timestamptz not null,
  created_at timestamptz not null,
  created_by text not null,
  revoked_at timestamptz
);
create index provisioning_keys_fleet on provisioning_keys (fleet, id);

create table devices (
  id text primary key,
  fleet text not null references fleets (name),
  key_id text not null unique,
  public_key jsonb not null,
  name text,
  platform text not null,
  hardware text,
  agent_version text not null,
  tags jsonb not null,
  provisioning_key text not null,
  registered_at timestamptz not null
);
create index devices_fleet on devices (fleet, id);

-- The row that every check-in writes: narrow, without further indexes, so that updates stay on their page.
create table device_states (
  device text primary key references devices (id) on delete cascade,
  seen_at timestamptz not null,
  report jsonb not null
) with (fillfactor = 60);

-- Signed reports, as received: canonical JSON and the device's signature over it.
create table device_reports (
  device text not null references devices (id) on delete cascade,
  sequence bigint not null,
  report bytea not null,
  signature bytea not null,
  received_at timestamptz not null,
  primary key (device, sequence)
);

-- Keys of removed devices never come back.
create table removed_devices (
  device text primary key,
  key_id text not null unique,
  removed_at timestamptz not null
);

create table assertion_ids (
  device text not null,
  jti text not null,
  expires_at timestamptz not null,
  primary key (device, jti)
);
create index assertion_ids_expiry on assertion_ids (expires_at);

-- Appended in the transaction of the action; the sequencer gives each its place in the log.
create table audit_entries (
  id bigint generated always as identity primary key,
  entry bytea not null,
  leaf_index bigint unique
);
create index audit_entries_pending on audit_entries (id) where leaf_index is null;

create table log_tiles (
  level integer not null,
  index bigint not null,
  hashes bytea not null,
  primary key (level, index)
);

create table log_state (
  only_row boolean primary key default true check (only_row),
  size bigint not null,
  root bytea not null,
  checkpoint text not null,
  signed_at timestamptz not null
);
