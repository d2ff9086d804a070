-- A token that is traded for its successor again and again makes a line. What is asked of a line is one look, however
-- long it is.
-- The first token of the line, the person or the like that it all goes back to, and what was spent of the line's trades.
alter table tokens add column line text;
alter table tokens add column holder text;
alter table tokens add column trades_used_until timestamptz;

with recursive walk as (
  select id, id as line from tokens t
  where t.refreshed_from is null or not exists (select from tokens f where f.id = t.refreshed_from)
  union all
  select t.id, w.line from tokens t join walk w on t.refreshed_from = w.id
)
update tokens t set line = w.line from walk w where w.id = t.id;

with recursive walk as (
  select id, created_by as holder from tokens t
  where not exists (select from tokens m where m.id = t.created_by)
  union all
  select t.id, w.holder from tokens t join walk w on t.created_by = w.id
)
update tokens t set holder = w.holder from walk w where w.id = t.id;

alter table tokens alter column line set not null;
alter table tokens alter column holder set not null;
create index tokens_line on tokens (line);
create index tokens_holder on tokens (holder);
create unique index tokens_refreshed_from on tokens (refreshed_from);
