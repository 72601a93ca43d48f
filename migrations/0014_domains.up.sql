-- PostgreSQL reads every CHECK of a table anew for each statement that writes to it, and a domain's once in a session
-- (docs/adr/0007-what-a-transfer-costs.md). So whatever concerns one column is a domain, under the name that it had; what
-- concerns several stays with the table.
create domain simplebank.account_kind as text
    constraint accounts_kind_check check (value in ('customer', 'cash'));
create domain simplebank.account_currency as text
    constraint accounts_currency_check check (value ~ '^[A-Z]{3}$');
create domain simplebank.account_status as text
    constraint accounts_status_check check (value in ('open', 'frozen', 'closed'));
create domain simplebank.account_version as bigint
    constraint accounts_version_check check (value >= 0);
create domain simplebank.account_held as bigint
    constraint accounts_held_check check (value >= 0);
create domain simplebank.account_spent as bigint
    constraint accounts_spent_check check (value >= 0);
create domain simplebank.overdraft_limit as bigint
    constraint accounts_overdraft_limit_check check (value >= 0);
create domain simplebank.transfer_limit as bigint
    constraint accounts_transfer_limit_check check (value > 0);
create domain simplebank.daily_limit as bigint
    constraint accounts_daily_limit_check check (value > 0);
create domain simplebank.transfer_kind as text
    constraint transfers_kind_check check (value in ('transfer', 'deposit', 'withdrawal', 'capture', 'reversal'));
create domain simplebank.transfer_amount as bigint
    constraint transfers_amount_check check (value > 0);
create domain simplebank.transfer_description as text
    constraint transfers_description_check check (char_length(value) between 1 and 200);
create domain simplebank.transfer_reference as text
    constraint transfers_reference_check check (char_length(value) between 1 and 64);
create domain simplebank.entry_version as bigint
    constraint entries_version_check check (value >= 1);
create domain simplebank.entry_amount as bigint
    constraint entries_amount_check check (value <> 0);
create domain simplebank.idempotency_key as text
    constraint idempotency_key_check check (char_length(value) between 1 and 255);
create domain simplebank.content_hash as bytea
    constraint idempotency_content_hash_check check (octet_length(value) = 32);

-- PostgreSQL changes no type under a trigger that names the column.
drop trigger accounts_identity on simplebank.accounts;
drop trigger accounts_stay_closed on simplebank.accounts;
alter table simplebank.accounts
    drop constraint accounts_kind_check,
    drop constraint accounts_currency_check,
    drop constraint accounts_status_check,
    drop constraint accounts_version_check,
    drop constraint accounts_held_check,
    drop constraint accounts_spent_check,
    drop constraint accounts_overdraft_limit_check,
    drop constraint accounts_transfer_limit_check,
    drop constraint accounts_daily_limit_check,
    drop constraint accounts_balance_check,
    alter column kind type simplebank.account_kind,
    alter column currency type simplebank.account_currency,
    alter column status type simplebank.account_status,
    alter column version type simplebank.account_version,
    alter column held type simplebank.account_held,
    alter column spent type simplebank.account_spent,
    alter column overdraft_limit type simplebank.overdraft_limit,
    alter column transfer_limit type simplebank.transfer_limit,
    alter column daily_limit type simplebank.daily_limit,
    -- Who has no owner is cash (accounts_kind_owner_check); said without a text, this is shorter to read.
    add constraint accounts_balance_check check (owner_id is null or balance - held >= -overdraft_limit),
    add constraint accounts_spent_day_check check ((spent_day is null) = (spent is null));

create trigger accounts_identity
    before update of id, kind, owner_id, currency, created_at on simplebank.accounts
    for each statement execute function simplebank.refuse_rewriting();
create trigger accounts_stay_closed
    before update of status on simplebank.accounts
    for each row when (old.status = 'closed' and new.status <> 'closed')
    execute function simplebank.refuse_reopening();

alter table simplebank.transfers
    drop constraint transfers_kind_check,
    drop constraint transfers_amount_check,
    drop constraint transfers_description_check,
    drop constraint transfers_reference_check,
    alter column kind type simplebank.transfer_kind,
    alter column amount type simplebank.transfer_amount,
    alter column description type simplebank.transfer_description,
    alter column reference type simplebank.transfer_reference;

alter table simplebank.entries
    drop constraint entries_version_check,
    drop constraint entries_amount_check,
    alter column version type simplebank.entry_version,
    alter column amount type simplebank.entry_amount;

alter table simplebank.idempotency
    drop constraint idempotency_key_check,
    drop constraint idempotency_content_hash_check,
    alter column key type simplebank.idempotency_key,
    alter column content_hash type simplebank.content_hash;
