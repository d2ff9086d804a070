-- SSH and OpenPGP public keys of people. Nothing here is opened by them.
create table account_keys (
  id text primary key,
  person_id text not null references people (id),
  name text not null,
  kind text not null check (kind in ('ssh', 'openpgp')),
  algorithm text not null,
  -- A key is of one person, so that a signature is.
  fingerprint text not null unique,
  public_key text not null,
  created_at timestamptz not null,
  created_by text not null,
  -- What a token has added counts for nothing before the person has confirmed it.
  confirmed_at timestamptz
);
create index account_keys_person on account_keys (person_id);
