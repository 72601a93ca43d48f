create table simplebank.transfers (
    id uuid constraint transfers_pk primary key,
    kind text not null
        constraint transfers_kind_check check (kind in ('transfer', 'deposit', 'withdrawal')),
    from_account_id uuid not null,
    to_account_id uuid not null,
    amount bigint not null
        constraint transfers_amount_check check (amount > 0),
    currency text not null,
    created_by uuid not null
        constraint transfers_created_by_fk references simplebank.users (id),
    created_at timestamptz not null,
    constraint transfers_two_accounts_check check (from_account_id <> to_account_id),
    -- An account's currency never changes, so these two hold a transfer to the currency of both its accounts.
    constraint transfers_from_account_fk foreign key (from_account_id, currency)
        references simplebank.accounts (id, currency),
    constraint transfers_to_account_fk foreign key (to_account_id, currency)
        references simplebank.accounts (id, currency)
);

create trigger transfers_append_only
    before update or delete or truncate on simplebank.transfers
    for each statement execute function simplebank.refuse_rewriting();

grant select, insert on simplebank.transfers to simplebank_app;
