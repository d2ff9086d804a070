-- Who has reviewed who may do what, and what the last of them saw.
create table access_reviews (
  id text primary key,
  at timestamptz not null,
  by text not null,
  -- The person to whom `by` goes back.
  reviewer text not null,
  grants_count integer not null,
  grants_sha256 bytea not null
);

-- Of the last review alone.
create table reviewed_grants (
  review text not null references access_reviews (id),
  key text not null,
  seen jsonb not null,
  primary key (review, key)
);
