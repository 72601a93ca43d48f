drop table simplebank.entries;
