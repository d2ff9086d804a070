-- Which packages anybody has imported records about, and when: nothing found is no news without it.

-- An ecosystem as the OSV format names it, with the release of a distribution: npm, Debian:12.
create table record_imports (
  ecosystem text primary key,
  -- When records of it were imported last, also such as were there before.
  imported_at timestamptz not null,
  -- When the newest of them was changed by its source.
  newest_at timestamptz not null
);
insert into record_imports (ecosystem, imported_at, newest_at)
select said.ecosystem, max(said.imported_at), max(said.modified_at)
from (
  select v.imported_at, v.modified_at, a ->> 'ecosystem' || case
      when a ->> 'ecosystem' not in ('Debian', 'Ubuntu', 'Alpine', 'AlmaLinux', 'Rocky Linux') or a ->> 'release' = ''
        then ''
      else ':' || regexp_replace(a ->> 'release', ':LTS$', '') end as ecosystem
  from vulnerabilities v join vulnerability_subjects s on s.vulnerability = v.id
    cross join lateral jsonb_array_elements(s.affected) a
) said
where length(said.ecosystem) <= 100
group by said.ecosystem order by 2 desc limit 1000;

-- The ecosystems of its components, named in the same way.
alter table sboms add column ecosystems text[] not null default '{}';
update sboms s set ecosystems = array(
  select distinct p.ecosystem || case when p.release = '' then '' else ':' || p.release end
  from release_components c join components p on p.id = c.component where c.sbom = s.id
  order by 1 limit 100);
