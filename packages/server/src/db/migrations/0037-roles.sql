-- Roles that people make. What they say is looked up by name wherever somebody holds them.
create table roles (
  name text primary key,
  purpose text not null,
  allows text[] not null,
  denies text[] not null,
  -- Rises with every change, so that a change is made to what was seen.
  version integer not null,
  created_at timestamptz not null,
  created_by text not null,
  changed_at timestamptz not null,
  changed_by text not null
);

-- Further roles, of which nothing counts but what they deny.
alter table people add column denied_by text[] not null default '{}';
alter table people add constraint people_owner_denied_nothing check (role <> 'owner' or denied_by = '{}');
alter table tokens add column denied_by text[] not null default '{}';
alter table invitations add column denied_by text[] not null default '{}';
