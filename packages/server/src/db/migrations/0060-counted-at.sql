-- When devices were counted; null for a count of the previous version.
alter table release_counts add column counted_at timestamptz;
