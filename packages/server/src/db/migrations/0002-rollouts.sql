-- Rollouts, one device's updates in them, and what each device's next check-in must know of both.

-- `newest`: the newest release of the channel, or the pin. `rollouts`: what rollouts offer, and the baseline.
alter table fleets add column follow text not null default 'newest' check (follow in ('newest', 'rollouts'));
-- The release of the last finished rollout: what a device that joins later gets at once.
alter table fleets add column baseline_version text;
alter table fleets add column baseline_sha256 text;
-- Strategy, windows, slots and lifetime of a reboot lock.
alter table fleets add column reboot jsonb not null default '{"strategy":"immediate"}';

create table rollouts (
  id text primary key,
  fleet text not null references fleets (name),
  product text not null,
  channel text not null,
  version text not null,
  sha256 text not null,
  counter bigint not null,
  policy jsonb not null,
  from_sha256 text,
  way_back_of text references rollouts (id),
  state text not null check (state in ('active', 'paused', 'finished', 'aborted')),
  stop_code text,
  stop_reason text,
  revision bigint not null,
  created_at timestamptz not null,
  created_by text not null,
  start_at timestamptz not null,
  ended_at timestamptz,
  clock_at timestamptz not null,
  waves_open_count integer not null,
  period_index bigint not null,
  period_offered_count bigint not null check (period_offered_count >= 0),
  -- Milliseconds since 1970 with their fraction: finer than an instant.
  rate_next_ms double precision,
  -- Failures that ended at or before it were accepted by a person who resumed.
  failures_accepted_at timestamptz,
  -- Ended, and no update of it is under way any more: nothing will change it again.
  is_settled boolean not null
) with (fillfactor = 50);
create index rollouts_fleet on rollouts (fleet, id);
create index rollouts_unsettled on rollouts (id) where not is_settled;

create table rollout_waves (
  rollout text not null references rollouts (id),
  wave integer not null,
  members_count bigint,
  members_counted_at timestamptz,
  opened_at timestamptz,
  success_since timestamptz,
  approved_at timestamptz,
  approved_by text,
  offered_count bigint not null default 0 check (offered_count >= 0),
  in_flight_count bigint not null default 0 check (in_flight_count >= 0),
  healthy_count bigint not null default 0 check (healthy_count >= 0),
  failed_count bigint not null default 0 check (failed_count >= 0),
  failures_accepted_count bigint not null default 0 check (failures_accepted_count between 0 and failed_count),
  superseded_count bigint not null default 0 check (superseded_count >= 0),
  primary key (rollout, wave)
) with (fillfactor = 50);

-- One row per device and rollout, its latest attempt. Outlives the device, for the history.
create table updates (
  rollout text not null references rollouts (id),
  device text not null,
  wave integer not null,
  attempt integer not null check (attempt > 0),
  state text not null,
  code text,
  offered_at timestamptz not null,
  offered_sequence bigint not null,
  has_started boolean not null,
  changed_at timestamptz not null,
  deadline_at timestamptz not null,
  ended_at timestamptz,
  primary key (rollout, device)
);
create index updates_deadline on updates (deadline_at) where ended_at is null;
create index updates_device on updates (device, offered_at desc);

-- Every change of state, for ever: the history of a device.
create table update_events (
  id bigint generated always as identity primary key,
  rollout text not null,
  device text not null,
  attempt integer not null,
  state text not null,
  code text,
  at timestamptz not null
);
create index update_events_device on update_events (device, id desc);

-- The device's updates in rollouts that have not ended, copied here so that a check-in reads one row: a JSON array.
alter table device_states add column updates jsonb not null default '[]';

-- Time series: progress of a rollout, and versions running in a fleet.
create table rollout_samples (
  rollout text not null references rollouts (id),
  at timestamptz not null,
  waves jsonb not null,
  primary key (rollout, at)
);
create table fleet_samples (
  fleet text not null references fleets (name),
  at timestamptz not null,
  devices_count bigint not null,
  seen_count bigint not null,
  versions jsonb not null,
  primary key (fleet, at)
);
