-- Only a release with a higher counter follows a baseline, whichever rollout ends last. A baseline came from a rollout of its fleet.
alter table fleets add column baseline_counter bigint;
update fleets f set baseline_counter = coalesce((
  select max(r.counter) from rollouts r
  where r.fleet = f.name and r.version = f.baseline_version and r.sha256 = f.baseline_sha256
), 0) where f.baseline_version is not null;
alter table fleets add constraint fleets_baseline check (
  (baseline_version is null) = (baseline_sha256 is null) and (baseline_version is null) = (baseline_counter is null)
);
