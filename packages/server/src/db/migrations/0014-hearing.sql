-- When devices were heard at all, in the whole installation: nobody is silent for a time in which nobody could be heard.
create table hearing (
  id smallint primary key default 1 check (id = 1),
  heard_at timestamptz,
  -- [{"from", "until"}], each shorter than the one before it.
  gaps jsonb not null default '[]'
);
insert into hearing (heard_at) select max(seen_at) from device_states;
