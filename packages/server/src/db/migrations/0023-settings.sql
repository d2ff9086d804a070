-- Variables and secrets of applications. A setting is of a whole fleet or of one device.
alter table fleets add column config_version integer not null default 0;

create table settings (
  id bigint generated always as identity primary key,
  fleet text references fleets (name) on delete cascade,
  device text references devices (id) on delete cascade,
  name text not null,
  version integer not null,
  -- The value of a variable; null for a secret.
  value text,
  -- The key of whoever set a secret, and the secret sealed to it.
  holder_key bytea,
  holder_copy bytea,
  set_at timestamptz not null,
  set_by text not null,
  check ((fleet is null) <> (device is null)),
  check ((value is null) = (holder_key is not null and holder_copy is not null)),
  unique nulls not distinct (fleet, device, name)
);
create index settings_device on settings (device) where device is not null;

-- A secret sealed to a device. An older version stays until the newer one is sealed, too.
create table seals (
  setting bigint not null references settings (id) on delete cascade,
  device text not null references devices (id) on delete cascade,
  version integer not null,
  sealed bytea not null,
  primary key (setting, device)
);
create index seals_device on seals (device);
