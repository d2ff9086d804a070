-- What releases are made of, what records of vulnerabilities say of that, and which devices run it.

-- The bill of materials of a release for one platform, or why there is none.
create table sboms (
  id bigint generated always as identity primary key,
  product text not null,
  version text not null,
  platform text not null,
  -- SHA-256 of the release's index in hex, as devices report it.
  sha256 text not null,
  state text not null check (state in ('read', 'missing', 'unusable')),
  why text,
  components_count integer not null default 0,
  -- Components that no record can be about.
  others_count integer not null default 0,
  -- Whether the document says itself that it does not list everything.
  is_incomplete boolean not null default false,
  read_at timestamptz not null,
  unique (product, version, platform),
  check ((state = 'read') = (why is null))
);
create index sboms_sha256 on sboms (sha256);

-- Each component once, whichever releases hold it.
create table components (
  id bigint generated always as identity primary key,
  -- SHA-256 of everything that a verdict can depend on.
  sha256 bytea not null unique,
  purl text not null,
  name text not null,
  version text not null,
  ecosystem text not null,
  release text not null,
  subject_name text not null,
  subject_version text not null,
  -- What records are found by.
  subject_key text not null,
  -- Its bytes have the order of versions; null where every record of the subject must be judged.
  version_key bytea,
  -- Whether every record that was there before it was compared with it.
  is_compared boolean not null default false
);
create index components_subject on components (subject_key);
create index components_new on components (id) where not is_compared;

create table release_components (
  component bigint not null references components (id),
  sbom bigint not null references sboms (id) on delete cascade,
  primary key (component, sbom)
);
create index release_components_sbom on release_components (sbom);

create table vulnerabilities (
  id bigint generated always as identity primary key,
  name text not null unique,
  modified_at timestamptz not null,
  withdrawn_at timestamptz,
  summary text not null,
  -- Parts of the record that could not be used.
  faults text[] not null,
  -- Of the document.
  sha256 bytea not null,
  document text not null,
  imported_at timestamptz not null
);

-- By which names people look for it: its own, its aliases, and those that it is derived from.
create table vulnerability_names (
  name text not null,
  vulnerability bigint not null references vulnerabilities (id) on delete cascade,
  kind text not null check (kind in ('own', 'alias', 'upstream')),
  primary key (name, vulnerability)
);
create index vulnerability_names_vulnerability on vulnerability_names (vulnerability);

-- What a record says of one package.
create table vulnerability_subjects (
  vulnerability bigint not null references vulnerabilities (id) on delete cascade,
  subject_key text not null,
  affected jsonb not null,
  -- No version outside these keys has it. Without the lower one every version must be judged.
  lowest bytea,
  highest bytea,
  primary key (vulnerability, subject_key)
);
create index vulnerability_subjects_key on vulnerability_subjects (subject_key);

-- Only what is affected, or may be: everything else that was compared is neither.
create table findings (
  vulnerability bigint not null references vulnerabilities (id) on delete cascade,
  component bigint not null references components (id) on delete cascade,
  verdict text not null check (verdict in ('affected', 'unknown')),
  fixed text,
  confidence text,
  reason text,
  found_at timestamptz not null,
  primary key (vulnerability, component),
  check ((verdict = 'unknown') = (reason is not null))
);
create index findings_component on findings (component);

-- Records that could not be used at all.
create table set_aside_records (
  -- Of the record.
  sha256 bytea primary key,
  label text not null,
  why text not null,
  at timestamptz not null
);
create index set_aside_records_at on set_aside_records (at);

-- What each device runs, and has run. Written when a device reports another release than before.
create table running_releases (
  device text primary key references devices (id) on delete cascade,
  sha256 text not null,
  since timestamptz not null
);
create index running_releases_sha256 on running_releases (sha256, device);
create table past_releases (
  device text not null references devices (id) on delete cascade,
  sha256 text not null,
  since timestamptz not null,
  until timestamptz not null,
  primary key (device, since)
);
create index past_releases_sha256 on past_releases (sha256, until);
create index past_releases_until on past_releases (until);
insert into running_releases (device, sha256, since)
select r.device, r.report #>> '{running,sha256}', coalesce(s.reported_at, now())
from last_reports r left join device_states s on s.device = r.device
where r.report #>> '{running,sha256}' is not null;

-- How many devices run each release, counted now and then: heard of within a day, or silent.
create table release_counts (
  sha256 text not null,
  platform text not null,
  fleet text not null,
  heard_count bigint not null,
  silent_count bigint not null,
  primary key (sha256, platform, fleet)
);
