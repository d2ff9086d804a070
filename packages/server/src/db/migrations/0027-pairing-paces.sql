-- How often a command line may ask is kept in memory: a question is answered from what is read, and writes nothing.
alter table pairings drop column interval_seconds;
alter table pairings drop column asked_at;
