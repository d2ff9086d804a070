-- A secret that the server holds, sealed under the master key. A setting is a variable, a secret of
-- a holder, or one of the server, and exactly one of the three.
alter table settings add column server_copy bytea;
alter table settings drop constraint settings_check1;
alter table settings add constraint settings_kind check (
  num_nonnulls(value, holder_copy, server_copy) = 1
  and (holder_key is null) = (holder_copy is null)
);

-- It finds a later version that was sealed to some device, at once.
create index seals_setting_version on seals (setting, version);
