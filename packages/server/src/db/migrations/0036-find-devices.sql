-- Devices are found by name, whole or its beginning, and by tags.
create index devices_name on devices (name collate "C");
create index devices_tags on devices using gin (tags jsonb_path_ops);
