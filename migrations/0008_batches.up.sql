-- What a ledger needs to be written in large batches (docs/adr/0007-what-a-transfer-costs.md): fewer indexes, and no check that
-- costs something for each row. What those held is held by simplebank.post, the only way in for the application (0012).

-- Accounts, users and their ids stay for ever, so what names one can rely on it without a check for each row.
create function simplebank.refuse_deletion() returns trigger
language plpgsql
as $$
begin
    raise exception '% of simplebank.% refused: others name its rows for ever', tg_op, tg_table_name
        using errcode = 'insufficient_privilege',
        hint = 'close the account instead';
end
$$;

create trigger accounts_stay
    before delete or truncate on simplebank.accounts
    for each statement execute function simplebank.refuse_deletion();

create trigger users_stay
    before delete or truncate on simplebank.users
    for each statement execute function simplebank.refuse_deletion();

-- Differs after each change of an account, of any sort, so that who remembers it knows whether it is still the same. It is
-- no count: a change that was rolled back must not look like one that another made after it.
alter table simplebank.accounts
    add column revision bigint not null default 0,
    -- An update finds room on the same page, and leaves the indexes alone.
    set (fillfactor = 50);

create function simplebank.renew_revision() returns trigger
language plpgsql
as $$
begin
    new.revision := pg_catalog.hashtextextended(pg_catalog.gen_random_uuid()::text, 0);
    return new;
end
$$;

create trigger accounts_revision
    before update on simplebank.accounts
    for each row when (new.revision = old.revision)
    execute function simplebank.renew_revision();

create trigger accounts_identity
    before update of id, kind, owner_id, currency, created_at on simplebank.accounts
    for each statement execute function simplebank.refuse_rewriting();


-- Where the two entries of a transfer are: the key of `entries` finds them, so they need no index by transfer.
alter table simplebank.transfers disable trigger transfers_append_only;
alter table simplebank.transfers
    add column from_version bigint,
    add column to_version bigint,
    add column description text
        constraint transfers_description_check check (char_length(description) between 1 and 200),
    add column reference text
        constraint transfers_reference_check check (char_length(reference) between 1 and 64),
    drop constraint transfers_kind_check,
    drop constraint transfers_from_account_fk,
    drop constraint transfers_to_account_fk,
    drop constraint transfers_created_by_fk;
update simplebank.transfers t
set from_version = f.version, to_version = o.version
from simplebank.entries f, simplebank.entries o
where f.transfer_id = t.id and f.account_id = t.from_account_id
  and o.transfer_id = t.id and o.account_id = t.to_account_id;
alter table simplebank.transfers
    alter column from_version set not null,
    alter column to_version set not null,
    add constraint transfers_kind_check
        check (kind in ('transfer', 'deposit', 'withdrawal', 'capture', 'reversal'));
alter table simplebank.transfers enable trigger transfers_append_only;

-- A payment is searched for by its reference among those of an account, newest first.
create index transfers_from_reference_idx on simplebank.transfers (from_account_id, reference, from_version)
    where reference is not null;
create index transfers_to_reference_idx on simplebank.transfers (to_account_id, reference, to_version)
    where reference is not null;

alter table simplebank.entries
    drop constraint entries_account_fk,
    drop constraint entries_transfer_fk,
    drop constraint entries_transfer_account_key;

alter table simplebank.accounts drop constraint accounts_id_currency_key;

alter table simplebank.idempotency
    drop constraint idempotency_owner_fk,
    drop constraint idempotency_transfer_fk,
    drop constraint idempotency_transfer_key;
alter table simplebank.idempotency rename column rejection_account_id to rejection_subject_id;
