-- A client that would not cancel has as long to say something more as one that is asked to.
alter table ddi_actions drop constraint ddi_actions_cancel;
update ddi_actions set cancel_asked_at = changed_at where state = 'running' and is_cancel_rejected;
alter table ddi_actions add constraint ddi_actions_cancel
  check ((state = 'canceling' or (state = 'running' and is_cancel_rejected)) = (cancel_asked_at is not null));
