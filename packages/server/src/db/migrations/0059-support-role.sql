-- The built-in role `support` gets its name. A role of that name that people have made is renamed
-- wherever it is named, so that nobody's rights or denials change.
do $$
declare
  own text := (
    select one.name
    from (select 'support-renamed' || case when n = 1 then '' else '-' || n end as name, n from generate_series(1, 101) n) one
    where not exists (select from roles r where r.name = one.name)
    order by one.n limit 1);
begin
  update roles set name = own where name = 'support';
  if not found then
    return;
  end if;
  update people set role = own where role = 'support';
  update people set denied_by = array_replace(denied_by, 'support', own) where 'support' = any (denied_by);
  update tokens set role = own where role = 'support';
  update tokens set denied_by = array_replace(denied_by, 'support', own) where 'support' = any (denied_by);
  update invitations set role = own where role = 'support';
  update invitations set denied_by = array_replace(denied_by, 'support', own) where 'support' = any (denied_by);
  update pairings set role = own where role = 'support';
  update identity_providers set grants = (
    select jsonb_agg(case when one.grant_ ->> 'role' = 'support' then one.grant_ || jsonb_build_object('role', own) else one.grant_ end order by one.place)
    from jsonb_array_elements(grants) with ordinality one (grant_, place))
  where grants @> '[{"role": "support"}]';
end
$$;
