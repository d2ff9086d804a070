-- Devices that speak the protocols of other systems: a secret of their own instead of a key. And the plain files of
-- operating system images, which those clients fetch one by one.

alter table devices add column protocol text not null default 'agent' check (protocol in ('agent', 'ddi', 'omaha'));
alter table devices alter column key_id drop not null;
alter table devices alter column public_key drop not null;
alter table devices alter column provisioning_key drop not null;
alter table devices add constraint devices_key check (
  (protocol = 'agent') = (key_id is not null) and (key_id is null) = (public_key is null)
);
-- Foreign devices have no key that must never come back.
alter table removed_devices alter column key_id drop not null;

-- With one of these a gateway registers devices and speaks for those that it registered, and for no others.
create table gateway_tokens (
  id text primary key,
  fleet text not null references fleets (name),
  -- Of every device behind it.
  platform text not null,
  hardware text,
  secret_sha256 bytea not null,
  uses_left integer not null check (uses_left >= 0),
  created_at timestamptz not null,
  created_by text not null,
  revoked_at timestamptz
);
create index gateway_tokens_fleet on gateway_tokens (fleet, id);

create table foreign_devices (
  device text primary key references devices (id) on delete cascade,
  protocol text not null check (protocol in ('ddi', 'omaha')),
  -- What its client calls itself: controller id, machine id. Null until the first use where only the client knows it.
  external_id text,
  -- Where it was registered: external ids are unique there, wherever the device moves afterwards.
  home_fleet text not null references fleets (name),
  secret_sha256 bytea,
  gateway text references gateway_tokens (id),
  attributes jsonb not null default '{}',
  attributes_at timestamptz,
  check ((secret_sha256 is null) <> (gateway is null))
);
create unique index foreign_devices_external on foreign_devices (home_fleet, protocol, external_id);
create index foreign_devices_gateway on foreign_devices (gateway, external_id) where gateway is not null;

-- What was removed behind a gateway does not come back through it.
create table removed_foreign_devices (
  gateway text not null references gateway_tokens (id),
  external_id text not null,
  removed_at timestamptz not null,
  primary key (gateway, external_id)
);

-- hawkBit's word for one attempt of one device. Numbered per device: clients read 32 bits.
create table ddi_actions (
  device text not null references devices (id) on delete cascade,
  id integer not null check (id > 0),
  product text not null,
  version text not null,
  sha256 text not null,
  counter bigint not null,
  -- Of the update that it stands for; null where no rollout decided.
  rollout text,
  attempt integer,
  state text not null check (state in ('running', 'canceling', 'finished', 'failed', 'canceled')),
  -- The client said that it is too late to cancel: it runs on and is not asked again.
  is_cancel_rejected boolean not null default false,
  statuses_count integer not null default 0,
  -- The last ones, newest first.
  messages jsonb not null default '[]',
  created_at timestamptz not null,
  changed_at timestamptz not null,
  closed_at timestamptz,
  primary key (device, id)
);
create unique index ddi_actions_open on ddi_actions (device) where closed_at is null;

-- Hashes that the clients of others ask for, of content by its digest. What is served is found by the signed digest
-- alone; a wrong row here can only make a client refuse.
create table release_files (
  digest text primary key,
  size bigint not null,
  sha1 bytea not null,
  md5 bytea not null,
  created_at timestamptz not null
);
