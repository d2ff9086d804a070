-- The only networks that a token works from; all without any.
alter table tokens add column networks text[];
