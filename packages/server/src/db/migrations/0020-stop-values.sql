-- The figures of a stop that failures brought, beside its code and its sentence; a stop of before has
-- none.
alter table rollouts add column stop_values jsonb;
