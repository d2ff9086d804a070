-- How many devices the fleet had when somebody last let the rollout begin or go on.
alter table rollouts add column devices_counted bigint not null default 0;
