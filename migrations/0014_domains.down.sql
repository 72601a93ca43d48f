alter table simplebank.idempotency
    alter column key type text,
    alter column content_hash type bytea,
    add constraint idempotency_key_check check (char_length(key) between 1 and 255),
    add constraint idempotency_content_hash_check check (octet_length(content_hash) = 32);

alter table simplebank.entries
    alter column version type bigint,
    alter column amount type bigint,
    add constraint entries_version_check check (version >= 1),
    add constraint entries_amount_check check (amount <> 0);

alter table simplebank.transfers
    alter column kind type text,
    alter column amount type bigint,
    alter column description type text,
    alter column reference type text,
    add constraint transfers_kind_check
        check (kind in ('transfer', 'deposit', 'withdrawal', 'capture', 'reversal')),
    add constraint transfers_amount_check check (amount > 0),
    add constraint transfers_description_check check (char_length(description) between 1 and 200),
    add constraint transfers_reference_check check (char_length(reference) between 1 and 64);

drop trigger accounts_identity on simplebank.accounts;
drop trigger accounts_stay_closed on simplebank.accounts;
alter table simplebank.accounts
    drop constraint accounts_balance_check,
    drop constraint accounts_spent_day_check,
    alter column kind type text,
    alter column currency type text,
    alter column status type text,
    alter column version type bigint,
    alter column held type bigint,
    alter column spent type bigint,
    alter column overdraft_limit type bigint,
    alter column transfer_limit type bigint,
    alter column daily_limit type bigint,
    add constraint accounts_kind_check check (kind in ('customer', 'cash')),
    add constraint accounts_currency_check check (currency ~ '^[A-Z]{3}$'),
    add constraint accounts_status_check check (status in ('open', 'frozen', 'closed')),
    add constraint accounts_version_check check (version >= 0),
    add constraint accounts_held_check check (held >= 0),
    add constraint accounts_overdraft_limit_check check (overdraft_limit >= 0),
    add constraint accounts_transfer_limit_check check (transfer_limit > 0),
    add constraint accounts_daily_limit_check check (daily_limit > 0),
    add constraint accounts_spent_check check ((spent_day is null) = (spent is null) and coalesce(spent >= 0, true)),
    add constraint accounts_balance_check check (kind <> 'customer' or balance - held >= -overdraft_limit);
create trigger accounts_identity
    before update of id, kind, owner_id, currency, created_at on simplebank.accounts
    for each statement execute function simplebank.refuse_rewriting();
create trigger accounts_stay_closed
    before update of status on simplebank.accounts
    for each row when (old.status = 'closed' and new.status <> 'closed')
    execute function simplebank.refuse_reopening();

drop domain simplebank.account_kind, simplebank.account_currency, simplebank.account_status, simplebank.account_version,
    simplebank.account_held, simplebank.account_spent, simplebank.overdraft_limit, simplebank.transfer_limit, simplebank.daily_limit,
    simplebank.transfer_kind, simplebank.transfer_amount, simplebank.transfer_description, simplebank.transfer_reference,
    simplebank.entry_version, simplebank.entry_amount, simplebank.idempotency_key, simplebank.content_hash;
