drop table simplebank.idempotency;
