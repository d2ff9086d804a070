-- A device that has gone beyond a rollout's release says nothing about that release: such an update ended without a verdict.
with moved as (
  update updates set state = 'superseded' where state = 'committed' and code = 'newer' returning rollout, wave
), counted as (
  select rollout, wave, count(*) as count from moved group by rollout, wave
)
update rollout_waves w
set healthy_count = healthy_count - c.count, superseded_count = superseded_count + c.count
from counted c where w.rollout = c.rollout and w.wave = c.wave;

update device_states s
set updates = (
  select jsonb_agg(case when u ->> 'state' = 'committed' and u ->> 'code' = 'newer' then u || '{"state": "superseded"}' else u end)
  from jsonb_array_elements(s.updates) as u
)
where s.updates @> '[{"state": "committed", "code": "newer"}]';

-- Counted anew: who has gone beyond the release waits for it no longer.
update rollout_waves set members_counted_at = null;
