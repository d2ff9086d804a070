-- Coordinated restarts (D13): who may restart at the moment.

-- Whoever takes a slot locks this row first, so that a fleet never has more holders than slots. A row of its own, without
-- a reference to its fleet: who changes the fleet and who takes a slot never wait for each other.
create table reboot_groups (
  fleet text primary key
);

create table reboot_locks (
  id text primary key,
  fleet text not null references reboot_groups (fleet),
  -- `device`: by its own credential, `holder` is its id. `client`: by a key of the fleet, `holder` is what it calls itself.
  kind text not null check (kind in ('device', 'client')),
  holder text not null,
  -- Removing a device frees its slot.
  device text references devices (id) on delete cascade,
  -- Of one of our agents: the release it restarts into, and its report that asked. Both null for FleetLock.
  sha256 text,
  sequence bigint,
  taken_at timestamptz not null,
  asked_at timestamptz not null,
  -- When somebody was told that it has been held for long.
  alarmed_at timestamptz,
  unique (fleet, kind, holder)
);
create index reboot_locks_device on reboot_locks (device);

create table fleetlock_keys (
  id text primary key,
  fleet text not null references fleets (name),
  secret_sha256 bytea not null,
  created_at timestamptz not null,
  created_by text not null,
  revoked_at timestamptz
);
create index fleetlock_keys_fleet on fleetlock_keys (fleet, id);
