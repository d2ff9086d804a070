-- Whoever made the token that the device has now: null for a device behind a gateway, and for a token
-- from before this was known, whose maker stands in the log.
alter table foreign_devices add column token_made_by text;
create index foreign_devices_maker on foreign_devices (token_made_by) where token_made_by is not null;
