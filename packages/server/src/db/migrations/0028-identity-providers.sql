-- Where people may sign in instead, and as whom.
create table identity_providers (
  name text primary key,
  title text not null,
  issuer text not null,
  client_id text not null,
  -- Sealed under the master key.
  client_secret_sealed bytea,
  ca_pem text,
  groups_claim text,
  -- What members of groups may do: a list of group, role, products and fleets.
  grants jsonb not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  changed_by text not null
);

create table identities (
  provider text not null references identity_providers (name),
  -- How the provider names the account; it never gives the name to another one.
  subject text not null,
  person_id text not null references people (id),
  -- How the provider calls the account, for people who look. Nothing is decided by it.
  account text not null,
  created_at timestamptz not null,
  last_used_at timestamptz,
  primary key (provider, subject),
  unique (provider, person_id)
);
create index identities_person on identities (person_id);

-- The provider whose groups give the person their role, until somebody here changes it.
alter table people add column granted_by_provider text references identity_providers (name);

alter table sessions drop constraint sessions_factor_check;
alter table sessions add constraint sessions_factor_check check (factor in ('passkey', 'password', 'provider'));
