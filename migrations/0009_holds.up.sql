-- Money that is promised and not yet moved.
create table simplebank.holds (
    id uuid constraint holds_pk primary key,
    from_account_id uuid not null
        constraint holds_from_account_fk references simplebank.accounts (id),
    to_account_id uuid not null
        constraint holds_to_account_fk references simplebank.accounts (id),
    amount bigint not null
        constraint holds_amount_check check (amount > 0),
    currency text not null,
    description text
        constraint holds_description_check check (char_length(description) between 1 and 200),
    reference text
        constraint holds_reference_check check (char_length(reference) between 1 and 64),
    created_by uuid not null
        constraint holds_created_by_fk references simplebank.users (id),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    state text not null default 'open'
        constraint holds_state_check check (state in ('open', 'captured', 'voided', 'expired')),
    captured_by uuid,
    captured_amount bigint,
    resolved_at timestamptz,
    constraint holds_two_accounts_check check (from_account_id <> to_account_id),
    constraint holds_expiry_check check (expires_at > created_at),
    constraint holds_capture_check check (
        (state = 'captured') = (captured_by is not null)
        and (state = 'captured') = (captured_amount is not null)
        and coalesce(captured_amount between 1 and amount, true)
    ),
    constraint holds_resolved_at_check check ((state in ('captured', 'voided')) = (resolved_at is not null))
);

-- The holds of an account, newest first; and those that still hold, by when they end.
create index holds_from_account_idx on simplebank.holds (from_account_id, id);
create index holds_to_account_idx on simplebank.holds (to_account_id, id);
create index holds_open_idx on simplebank.holds (from_account_id, expires_at) where state = 'open';

-- A hold ends once, and nothing else of it ever changes.
create function simplebank.refuse_second_resolution() returns trigger
language plpgsql
as $$
begin
    if tg_op = 'UPDATE' and old.state = 'open' and new.state <> 'open'
        and (new.id, new.from_account_id, new.to_account_id, new.amount, new.currency, new.created_by, new.created_at, new.expires_at)
          = (old.id, old.from_account_id, old.to_account_id, old.amount, old.currency, old.created_by, old.created_at, old.expires_at)
        and (new.description, new.reference) is not distinct from (old.description, old.reference)
    then
        return new;
    end if;
    raise exception '% of simplebank.holds refused: a hold ends once', tg_op
        using errcode = 'insufficient_privilege';
end
$$;

create trigger holds_end_once
    before update or delete on simplebank.holds
    for each row execute function simplebank.refuse_second_resolution();

create trigger holds_stay
    before truncate on simplebank.holds
    for each statement execute function simplebank.refuse_deletion();

grant select, insert on simplebank.holds to simplebank_app;
grant update (state, captured_by, captured_amount, resolved_at) on simplebank.holds to simplebank_app;

alter table simplebank.accounts
    add column held bigint not null default 0
        constraint accounts_held_check check (held >= 0),
    drop constraint accounts_balance_check,
    add constraint accounts_balance_check check (kind <> 'customer' or balance - held >= -overdraft_limit);

alter table simplebank.transfers
    add column hold_id uuid,
    add constraint transfers_hold_check check ((kind = 'capture') = (hold_id is not null));

-- A second capture of one hold can't be written.
create unique index transfers_hold_key on simplebank.transfers (hold_id) where hold_id is not null;

alter table simplebank.idempotency
    add column hold_id uuid,
    drop constraint idempotency_outcome_check,
    add constraint idempotency_outcome_check check (num_nonnulls(transfer_id, hold_id, rejection_code) = 1);
