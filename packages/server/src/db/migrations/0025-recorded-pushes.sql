-- Pushes that are entries of the log already: the same one once more changes nothing, and is none.
create table recorded_pushes (
  repository text not null,
  -- Empty for a push by digest. A tag has one row, for what it was last pushed to.
  tag text not null,
  digest text not null,
  primary key (repository, tag, digest)
);
