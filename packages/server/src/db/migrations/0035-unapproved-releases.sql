-- How many devices whoever asks has brought another release without an approval, because each time
-- they were few: what they do within a day counts together.
create table unapproved_releases (
  -- The person who counts; null for all credentials that go back to no person.
  principal text,
  devices integer not null,
  at timestamptz not null
);
create index unapproved_releases_principal on unapproved_releases (principal, at);

-- The fleet that a device would leave: whoever decides must reach that one, too.
alter table approvals add column from_fleet text;
