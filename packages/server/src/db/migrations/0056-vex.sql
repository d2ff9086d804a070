-- What people state of a vulnerability, a release and a component. Nothing is ever rewritten: what
-- is stated anew ends what was stated before.
create table vex_statements (
  id text primary key,
  -- Any name of the flaw: the statement is about every record of it.
  vulnerability text not null,
  product text not null,
  version text not null,
  -- The package URL of the component.
  purl text not null,
  status text not null check (status in ('not_affected', 'affected', 'fixed', 'under_investigation')),
  justification text,
  impact text not null,
  action text not null,
  notes text not null,
  evidence text[] not null,
  -- Whether later releases with the very same component inherit it.
  is_inherited boolean not null,
  -- Who is on record for it here, and who said it in a document that was imported.
  reviewer text not null,
  author text,
  -- When it was said there; null for what was said here.
  authored_at timestamptz,
  stated_at timestamptz not null,
  expires_at timestamptz,
  -- SHA-256 of what records said of the component then, in hex; empty where none said anything.
  basis text not null,
  ended_at timestamptz,
  ended_by text,
  ended_why text check (ended_why in ('replaced', 'withdrawn', 'record_changed')),
  foreign key (product, version) references releases (product, version),
  check ((ended_at is null) = (ended_why is null)),
  check (not is_inherited or expires_at is not null)
);
create unique index vex_statements_in_force on vex_statements (product, version, purl, vulnerability)
  where ended_at is null;
create index vex_statements_by_vulnerability on vex_statements (vulnerability);
create index components_purl on components (purl);
