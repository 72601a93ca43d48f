drop table simplebank.reversals;
alter table simplebank.transfers drop column reverses_id;
