-- What an ACME authority wants to read on port 80, while an order is open.
create table acme_challenges (
  token text primary key,
  name text not null,
  answer text not null
);
