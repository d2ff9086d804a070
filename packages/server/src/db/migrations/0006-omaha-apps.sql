-- The identifiers by which Omaha clients name products: a UUID that is built into an operating system, for example.
create table omaha_apps (
  product text primary key,
  -- In lower case, without braces.
  app_id text not null,
  changed_at timestamptz not null,
  changed_by text not null
);
