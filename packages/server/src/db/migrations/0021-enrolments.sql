-- What holders and a provisioning key have signed of a device. Whoever seals to the device verifies
-- it; the server only keeps it.
alter table devices add column enrolment jsonb;
