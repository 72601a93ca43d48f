drop table simplebank.account_limits;
alter table simplebank.accounts
    drop column transfer_limit,
    drop column daily_limit,
    drop column spent_day,
    drop column spent,
    drop column spent_allowed;
