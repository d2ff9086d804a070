-- What was handed out ends with whoever handed it out, so that it is known.
-- The maker of the invitation by which the person came in last: whoever had its link has the account.
alter table people add column let_in_by text;
update people p set let_in_by = coalesce(
  (select i.created_by from invitations i where i.person_id = p.id and i.used_at is not null order by i.used_at desc limit 1),
  p.created_by
);
alter table people alter column let_in_by set not null;

-- The token that this one replaced: what that one handed out is this one's.
alter table tokens add column refreshed_from text;
update tokens t set refreshed_from = f.id from tokens f where t.created_by = f.id and f.revoked_at = t.created_at;
create index tokens_maker on tokens (created_by);
