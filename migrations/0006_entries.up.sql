create table simplebank.entries (
    account_id uuid not null
        constraint entries_account_fk references simplebank.accounts (id),
    version bigint not null
        constraint entries_version_check check (version >= 1),
    transfer_id uuid not null
        constraint entries_transfer_fk references simplebank.transfers (id),
    amount bigint not null
        constraint entries_amount_check check (amount <> 0),
    balance_after bigint not null,
    created_at timestamptz not null,
    constraint entries_pk primary key (account_id, version),
    constraint entries_transfer_account_key unique (transfer_id, account_id)
);

create trigger entries_append_only
    before update or delete or truncate on simplebank.entries
    for each statement execute function simplebank.refuse_rewriting();

grant select, insert on simplebank.entries to simplebank_app;
