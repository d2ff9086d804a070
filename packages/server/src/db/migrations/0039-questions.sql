-- What questions about devices find them by, and list them in the order of; null comes first there.
drop index devices_name;
create index devices_name on devices (name collate "C" nulls first, id);
create index devices_platform on devices (platform, id);
create index devices_registered on devices (registered_at, id);
