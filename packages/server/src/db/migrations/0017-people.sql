-- People, how they prove who they are, and their sessions. Of every secret only a hash is stored.
create table people (
  id text primary key,
  name text not null,
  email text,
  role text not null,
  products text[],
  fleets text[],
  created_at timestamptz not null,
  created_by text not null,
  disabled_at timestamptz,
  last_sign_in_at timestamptz,
  -- Owners reach everything.
  check (role <> 'owner' or (products is null and fleets is null))
);

create table passkeys (
  id text primary key,
  person_id text not null references people (id),
  -- The host that it was made for; browsers offer it nowhere else.
  rp_id text not null,
  credential_id text not null unique,
  public_key bytea not null,
  sign_count bigint not null,
  transports text[] not null,
  is_backed_up boolean not null,
  name text not null,
  created_at timestamptz not null,
  last_used_at timestamptz
);
create index passkeys_person on passkeys (person_id);

create table sessions (
  id text primary key,
  person_id text not null references people (id),
  secret_sha256 bytea not null,
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  expires_at timestamptz not null,
  stepped_up_at timestamptz,
  ended_at timestamptz,
  address text not null,
  user_agent text not null
);
create index sessions_person on sessions (person_id);
create index sessions_expiry on sessions (expires_at);

-- A challenge is used once. It is stored when it was used, and until it would have expired anyway.
create table used_challenges (
  challenge text primary key,
  expires_at timestamptz not null
);
create index used_challenges_expiry on used_challenges (expires_at);

create table invitations (
  id text primary key,
  code_sha256 bytea not null unique,
  name text,
  email text,
  person_id text references people (id),
  role text not null,
  products text[],
  fleets text[],
  created_at timestamptz not null,
  created_by text not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  revoked_at timestamptz
);

-- At most one row: the code of the link that `up` prints until somebody is owner.
create table first_owner_code (
  only_row boolean primary key default true check (only_row),
  code_sha256 bytea not null
);

create table recovery_codes (
  selector text primary key,
  person_id text not null references people (id),
  salt bytea not null,
  hash bytea not null,
  used_at timestamptz
);
create index recovery_codes_person on recovery_codes (person_id);
