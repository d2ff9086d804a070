-- Since when a person has other rights than they came in with, and who gave them; null for those of the beginning.
alter table people add column granted_at timestamptz;
alter table people add column granted_by text;
