-- A wave's devices are those with an update and those that wait for one. The latter are counted from time to time, apart
-- from those that were not heard from; who was offered something since, or left, may stand in the count still.
alter table rollout_waves drop column members_count;
alter table rollout_waves add column waiting_count bigint check (waiting_count >= 0);
alter table rollout_waves add column silent_count bigint check (silent_count >= 0);
alter table rollout_waves add column moved_since_count bigint not null default 0 check (moved_since_count >= 0);
-- Counted anew.
update rollout_waves set members_counted_at = null;

-- The lowest place of a device that is heard from: every share of the fleet takes that one in.
alter table rollouts add column first_place bigint;
-- As for rollouts made from now on, unless they say otherwise.
update rollouts set policy = policy || '{"silentAfterSeconds": 86400}';
