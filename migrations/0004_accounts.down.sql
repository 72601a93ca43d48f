drop table simplebank.accounts;
