-- Cases of reported flaws. Title and texts are sealed under the master key; what is plain here says
-- how a case stands, and nothing of what it is about.
create table cases (
  id text primary key,
  sealed bytea not null,
  report text not null
    check (report in ('received', 'invalid', 'valid', 'accepted', 'deferred', 'closed')),
  embargo text not null check (embargo in ('none', 'proposed', 'active', 'revise', 'exited')),
  embargo_until timestamptz,
  knowledge text not null check (knowledge ~ '^(vfd|Vfd|VFd|VFD)[pP][xX][aA]$'),
  handler text,
  -- Of the code in the private link of whoever has reported it.
  reporter_sha256 bytea unique,
  opened_at timestamptz not null,
  acknowledged_at timestamptz,
  answered_at timestamptz,
  last_answer_at timestamptz,
  waiting_since timestamptz,
  closed_at timestamptz
);

create table case_entries (
  id text primary key,
  case_id text not null references cases,
  at timestamptz not null,
  by text not null,
  kind text not null,
  sealed bytea not null
);
create index case_entries_by_case on case_entries (case_id, id);

-- Who is read in: a person, or the line of a token that goes back to no person.
create table case_readers (
  case_id text not null references cases,
  reader text not null,
  read_in_at timestamptz not null,
  read_in_by text not null,
  primary key (case_id, reader)
);
create index case_readers_by_reader on case_readers (reader, case_id);
