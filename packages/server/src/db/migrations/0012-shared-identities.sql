-- What tells whether two machines use the identity of one device: written only when a report comes from another boot than
-- the one before it, or goes back in its sequence.
create table identity_traces (
  device text primary key references devices (id) on delete cascade,
  -- Boots that another one has followed, the newest last: a JSON array of strings.
  left_boots jsonb not null,
  -- When reports went back on themselves, the newest last: a JSON array of milliseconds since 1970.
  went_back_at jsonb not null,
  -- Since when the identity counts as shared; a person ends it.
  shared_since timestamptz
);
create index identity_traces_shared on identity_traces (device) where shared_since is not null;

-- What the server does then: tell people, or give no more tokens to whoever comes with the identity.
alter table fleets add column shared_identity text not null default 'tell';
