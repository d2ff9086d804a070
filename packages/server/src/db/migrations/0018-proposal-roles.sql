-- Which roles a proposal changes, as its document says: what is published closes the open proposals for the same roles, and
-- whoever lists proposals reads only those within the scope. One statement decides, without a look into any document.
alter table proposals add column roles text[];

-- A document that cannot be read here counts as one of the top-level role, which concerns everybody.
do $$
declare
  stored record;
begin
  for stored in select id from proposals loop
    begin
      update proposals
      set roles = array(
        select document_of.value ->> 'role'
        from json_array_elements(convert_from(document, 'UTF8')::json -> 'documents') document_of
      )
      where id = stored.id;
    exception when data_exception or program_limit_exceeded then
      update proposals set roles = array['targets'] where id = stored.id;
    end;
  end loop;
end
$$;

alter table proposals alter column roles set not null;
alter table proposals add check (cardinality(roles) > 0);
create index proposals_open_roles on proposals using gin (roles) where state = 'open';
