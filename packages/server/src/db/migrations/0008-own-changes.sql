-- How much of its allowance to change its own name and tags a device has used: it is whole again at this time.
alter table devices add column own_changes_used_until timestamptz;
