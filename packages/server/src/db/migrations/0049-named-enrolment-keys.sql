-- The key by which holders enrol the devices that register with a provisioning key. One enrolment
-- key belongs to one provisioning key for ever, so that it ends with that.
alter table provisioning_keys add column enrolment_key_id text;
create unique index provisioning_keys_enrolment_key on provisioning_keys (enrolment_key_id);
