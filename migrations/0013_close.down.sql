drop trigger accounts_stay_closed on simplebank.accounts;
drop function simplebank.refuse_reopening;
drop index simplebank.accounts_owner_idx;
drop index simplebank.accounts_owner_currency_key;
-- Fails where somebody has closed an account and opened another in its currency: only one of them has room then.
alter table simplebank.accounts
    drop constraint accounts_closed_check,
    add constraint accounts_owner_currency_key unique (owner_id, currency);
