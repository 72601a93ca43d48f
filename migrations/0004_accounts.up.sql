create table simplebank.accounts (
    id uuid constraint accounts_pk primary key,
    kind text not null
        constraint accounts_kind_check check (kind in ('customer', 'cash')),
    owner_id uuid
        constraint accounts_owner_fk references simplebank.users (id),
    currency text not null
        constraint accounts_currency_check check (currency ~ '^[A-Z]{3}$'),
    -- Minor units of the currency, as all amounts.
    balance bigint not null default 0,
    version bigint not null default 0
        constraint accounts_version_check check (version >= 0),
    overdraft_limit bigint not null default 0
        constraint accounts_overdraft_limit_check check (overdraft_limit >= 0),
    status text not null default 'open'
        constraint accounts_status_check check (status in ('open', 'frozen', 'closed')),
    created_at timestamptz not null,
    constraint accounts_kind_owner_check check ((kind = 'customer') = (owner_id is not null)),
    constraint accounts_balance_check check (kind <> 'customer' or balance >= -overdraft_limit),
    constraint accounts_owner_currency_key unique (owner_id, currency),
    -- So that a foreign key can ask for an account in a currency.
    constraint accounts_id_currency_key unique (id, currency)
);

-- One cash account per currency.
create unique index accounts_cash_currency_key on simplebank.accounts (currency) where kind = 'cash';

grant select, insert on simplebank.accounts to simplebank_app;
grant update (balance, version, overdraft_limit, status) on simplebank.accounts to simplebank_app;
