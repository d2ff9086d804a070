-- Old signed reports are deleted. A sequence number up to the highest deleted one counts as used: no report under it is stored again.
alter table devices add column reports_pruned_to bigint;
