-- How much may go out of an account, and how much has gone out on the last day on which any did.
alter table simplebank.accounts
    add column transfer_limit bigint
        constraint accounts_transfer_limit_check check (transfer_limit > 0),
    add column daily_limit bigint
        constraint accounts_daily_limit_check check (daily_limit > 0),
    add column spent_day date,
    add column spent bigint,
    -- The daily limit under which the last of it went out: a lower one that is set later holds from then on.
    add column spent_allowed bigint,
    add constraint accounts_spent_check check ((spent_day is null) = (spent is null) and coalesce(spent >= 0, true)),
    add constraint accounts_spent_allowed_check check (spent <= spent_allowed);

grant update (transfer_limit, daily_limit) on simplebank.accounts to simplebank_app;

-- Which limits held from which entry of an account on: an auditor judges each entry by the limit of its time. Zero is before
-- the first entry.
create table simplebank.account_limits (
    account_id uuid not null
        constraint account_limits_account_fk references simplebank.accounts (id),
    -- Counts the changes: 1, 2, 3, …
    number bigint not null
        constraint account_limits_number_check check (number >= 1),
    -- The account's newest entry when they were set.
    after_version bigint not null,
    overdraft_limit bigint not null
        constraint account_limits_overdraft_limit_check check (overdraft_limit >= 0),
    transfer_limit bigint,
    daily_limit bigint,
    set_by uuid not null
        constraint account_limits_set_by_fk references simplebank.users (id),
    set_at timestamptz not null,
    constraint account_limits_pk primary key (account_id, number)
);

create trigger account_limits_append_only
    before update or delete or truncate on simplebank.account_limits
    for each statement execute function simplebank.refuse_rewriting();

grant select, insert on simplebank.account_limits to simplebank_app;
