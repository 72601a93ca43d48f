alter table simplebank.idempotency
    drop constraint idempotency_outcome_check,
    add constraint idempotency_outcome_check check ((transfer_id is null) <> (rejection_code is null)),
    drop column hold_id;
alter table simplebank.transfers drop column hold_id;
alter table simplebank.accounts
    drop constraint accounts_balance_check,
    add constraint accounts_balance_check check (kind <> 'customer' or balance >= -overdraft_limit),
    drop column held;
drop table simplebank.holds;
drop function simplebank.refuse_second_resolution;
