-- Every poll of a DDI client asks for the last action of the device that ended well.
create index ddi_actions_finished on ddi_actions (device, id) where state = 'finished';
