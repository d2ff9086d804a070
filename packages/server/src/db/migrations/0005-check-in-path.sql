-- The row that every check-in writes becomes narrow: what a device said last moves into a table of its own, which is
-- written only when it says something new; and what the decision needs of the device comes along, so that nothing else
-- is read. Measured in docs/MEASUREMENTS.md.

create table last_reports (
  device text primary key references devices (id) on delete cascade,
  -- As of when it was stored: the times in it are those of device_states.
  report jsonb not null
);
insert into last_reports (device, report) select device, report from device_states;

create temporary table states_before on commit drop as select device, seen_at, report, updates from device_states;
drop table device_states;
create table device_states (
  device text primary key references devices (id) on delete cascade,
  seen_at timestamptz not null,
  -- `at` and `timestampVerifiedAt` of the last report: what an idle device tells anew each time.
  reported_at timestamptz not null,
  verified_at timestamptz,
  -- Of the last report without those two; empty after a change of the device: its next report is stored whole.
  digest text not null,
  -- As `devices` has them.
  fleet text not null,
  hardware text,
  tags jsonb not null,
  -- Its updates in rollouts that have not ended, copied here by whoever changes them: a JSON array.
  updates jsonb not null default '[]'
) with (fillfactor = 70);
insert into device_states (device, seen_at, reported_at, verified_at, digest, fleet, hardware, tags, updates)
select s.device, s.seen_at, (s.report ->> 'at')::timestamptz, (s.report ->> 'timestampVerifiedAt')::timestamptz, '',
  d.fleet, d.hardware, d.tags, s.updates
from states_before s join devices d on d.id = s.device;
