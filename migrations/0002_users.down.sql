drop table simplebank.users;
