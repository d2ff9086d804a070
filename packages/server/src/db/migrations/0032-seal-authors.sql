-- Who sealed a secret last, and when: whoever seals can put another value in its place.
alter table settings add column sealed_at timestamptz;
alter table settings add column sealed_by text;
