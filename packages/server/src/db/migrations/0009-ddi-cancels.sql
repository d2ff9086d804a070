-- Since when a client is asked to cancel: what is not answered ends when its time is over.
alter table ddi_actions add column cancel_asked_at timestamptz;
update ddi_actions set cancel_asked_at = changed_at where state = 'canceling';
alter table ddi_actions add constraint ddi_actions_cancel check ((state = 'canceling') = (cancel_asked_at is not null));
