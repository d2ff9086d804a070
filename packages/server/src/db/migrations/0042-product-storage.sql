-- What each product may hold in the registry, and what it holds: each content counts once for each
-- product that has it, however many releases share it. Uploads that have not ended count with what
-- was set aside for them.
create table product_quotas (
  product text primary key,
  bytes bigint not null check (bytes >= 0),
  changed_at timestamptz not null,
  changed_by text not null
);
create table product_content (
  product text not null,
  digest text not null,
  bytes bigint not null check (bytes >= 0),
  added_at timestamptz not null,
  primary key (product, digest)
);
create table product_uploads (
  id text primary key,
  product text not null,
  actor text not null,
  bytes bigint not null check (bytes >= 0),
  used_at timestamptz not null
);
create index product_uploads_by_product on product_uploads (product);
create index product_uploads_by_actor on product_uploads (actor);
create index product_uploads_by_use on product_uploads (used_at);
