-- A password, and the authenticator that it never goes without. The secret of the authenticator is sealed under the master key.
create table passwords (
  person_id text primary key references people (id),
  -- In small letters.
  name text not null unique,
  salt bytea not null,
  hash bytea not null,
  memory_kib integer not null,
  passes integer not null,
  totp_sealed bytea not null,
  -- The last step of which a code was used: none of it or of those before is taken again.
  totp_step bigint not null,
  created_at timestamptz not null,
  last_used_at timestamptz
);

alter table sessions add column factor text not null default 'passkey' check (factor in ('passkey', 'password'));
alter table sessions alter column factor drop default;

-- At most one row; without one the built-in policy holds.
create table sign_in_policy (
  only_row boolean primary key default true check (only_row),
  passkey_roles text[] not null
);
