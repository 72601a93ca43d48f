drop table simplebank.transfers;
