-- What people change of a rollout that was begun: which of its policies holds, and the last changes.
alter table rollouts
  add column policy_version integer not null default 1 check (policy_version >= 1),
  add column policy_changes jsonb not null default '[]' check (jsonb_typeof(policy_changes) = 'array');
