-- Which clocks of cases were said to be about to break, or broken: each once.
create table case_alarms (
  case_id text not null references cases,
  clock text not null check (clock in ('acknowledge', 'answer', 'update', 'embargo')),
  due_at timestamptz not null,
  state text not null check (state in ('soon', 'broken')),
  raised_at timestamptz not null,
  primary key (case_id, clock, due_at, state)
);
