-- What needs another person's approval, and the requests for it.
create table approval_policy (
  only_row boolean primary key default true check (only_row),
  release_devices_above integer,
  device_removal boolean not null,
  set_at timestamptz not null,
  set_by text not null
);

create table approvals (
  id text primary key,
  state text not null check (state in ('pending', 'approved', 'rejected', 'withdrawn', 'void', 'expired', 'done')),
  action text not null,
  subject text not null,
  -- Of the route, its parameters and its body: what the same call once more is known by.
  call_sha256 bytea not null,
  effect jsonb not null,
  effect_sha256 bytea not null,
  devices_max integer,
  -- What whoever decides must be able to do themselves.
  permission text not null,
  fleet text,
  product text,
  -- The person who asks, and the credential by which.
  principal text not null,
  requested_by text not null,
  requested_at timestamptz not null,
  expires_at timestamptz not null,
  decided_by text,
  decided_at timestamptz,
  reason text
);
create unique index approvals_open on approvals (principal, call_sha256) where state in ('pending', 'approved');
create index approvals_principal on approvals (principal, id);

-- The person as whom this one counts where two persons are needed: whoever let them in, until owners have agreed to
-- the people there are by setting the rules. Null for a person of their own.
alter table people add column counts_as text;
