drop table simplebank.audit;
