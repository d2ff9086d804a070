-- What we tell the public of flaws in what we ship. A draft is sealed, and known to the readers of
-- its case; a version that was published is never changed.
create table advisories (
  id text primary key,
  case_id text not null references cases,
  -- The name that the public knows; it is drawn when the first version is published.
  name text unique,
  sealed bytea not null,
  revision integer not null,
  state text not null
    check (state in ('draft', 'reviewed', 'published', 'corrected', 'withdrawn')),
  edited_by text not null,
  reviewed_by text,
  opened_at timestamptz not null
);
create index advisories_by_case on advisories (case_id);

create table advisory_versions (
  advisory_id text not null references advisories,
  version integer not null,
  at timestamptz not null,
  what text not null,
  content jsonb not null,
  withdrawn_because text,
  -- The CSAF document, byte by byte as it was published.
  csaf text not null,
  -- An OpenPGP signature of the document by the publisher's key.
  signature text,
  published_by text not null,
  reviewed_by text,
  primary key (advisory_id, version)
);

create table advisory_publisher (
  only_row boolean primary key default true check (only_row),
  publisher jsonb not null,
  openpgp_key text,
  openpgp_fingerprint text,
  set_at timestamptz not null,
  set_by text not null,
  -- Rises with whatever changes the pages of the public.
  serial bigint not null
);
