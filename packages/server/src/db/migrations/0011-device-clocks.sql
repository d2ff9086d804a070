-- How far the clock of a device was ahead of the server's when it last got a token, in seconds; negative when it was behind.
alter table devices add column clock_offset_seconds integer;
-- Those whose clock is off by more than a minute are few: counting and listing them reads no other.
create index devices_clock_off on devices (id) where abs(clock_offset_seconds) > 60;
