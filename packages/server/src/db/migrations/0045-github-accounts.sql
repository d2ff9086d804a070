-- The protocol that a provider speaks.
alter table identity_providers
  add column kind text not null default 'oidc' check (kind in ('oidc', 'github'));
