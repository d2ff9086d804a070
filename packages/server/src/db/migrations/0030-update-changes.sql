-- How often the state of the attempt has changed: beyond a number, states of work leave no event.
alter table updates add column changes_count integer not null default 0;
