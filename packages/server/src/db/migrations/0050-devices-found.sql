-- Devices are found by the version of their agent, which is what they reported last, and sorted by
-- name, those without one first.
update devices d set agent_version = r.report ->> 'agentVersion' from last_reports r
  where r.device = d.id and d.agent_version <> r.report ->> 'agentVersion';
create index devices_agent_version on devices (agent_version, id);
create index devices_named on devices ((coalesce(name, '') collate "C"), id);
