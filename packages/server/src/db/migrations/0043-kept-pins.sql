-- The pin of the server's next key that a device said it keeps. Written once in a change of keys.
create table kept_pins (
  device text primary key references devices (id) on delete cascade,
  pin text not null,
  kept_at timestamptz not null
);
