-- Credentials that people put in and lend for a time. `sealed` is encrypted under a key of its own,
-- and `wrapped` is that key, encrypted under one that is kept outside of the server.
create table stored_credentials (
  id text primary key,
  name text not null unique,
  kind text not null check (kind in ('value', 'postgresql')),
  version integer not null,
  about text not null,
  -- Of a PostgreSQL: which one it is, and the role that each account made there is a member of.
  target text,
  member_of text,
  wrapped bytea not null,
  sealed bytea not null,
  created_at timestamptz not null,
  created_by text not null,
  set_at timestamptz not null,
  set_by text not null,
  check ((kind = 'postgresql') = (target is not null and member_of is not null))
);

create table leases (
  id text primary key,
  -- They stay when the credential is removed.
  credential text not null,
  credential_id text not null,
  reason text not null,
  seconds integer not null,
  requested_by text not null,
  requested_at timestamptz not null,
  -- The version that was handed out.
  version integer,
  opened_at timestamptz,
  expires_at timestamptz,
  ended_at timestamptz,
  ended_by text,
  end_reason text,
  -- An account that is, or was, made for this lease alone.
  account text unique,
  account_made_at timestamptz,
  account_gone_at timestamptz,
  account_failed_at timestamptz
);
create index leases_by_credential on leases (credential, id);
create index leases_by_requester on leases (requested_by, id);
create index leases_open on leases (expires_at)
  where ended_at is null or (account is not null and account_gone_at is null);

alter table approval_policy add column credential_lease boolean not null default false;
