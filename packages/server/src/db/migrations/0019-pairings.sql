-- Command lines that wait for a person to let them have a token. A stranger begins them, so that they are few and end soon.
create table pairings (
  id text primary key,
  -- Of the code with which the token is fetched.
  secret_sha256 bytea not null,
  -- What the person types.
  user_code text not null unique,
  machine text not null,
  address text not null,
  -- What the address counts as where pairings are counted.
  network text not null,
  -- What is asked for, and once it is approved, what was given.
  role text,
  products text[],
  fleets text[],
  lifetime_seconds integer not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  interval_seconds integer not null,
  asked_at timestamptz not null,
  state text not null default 'waiting' check (state in ('waiting', 'approved', 'refused', 'used')),
  decided_by text references people (id),
  check ((state = 'waiting') = (decided_by is null)),
  check (role is not null or state not in ('approved', 'used'))
);
create index pairings_expiry on pairings (expires_at);
