drop table simplebank.sessions;
