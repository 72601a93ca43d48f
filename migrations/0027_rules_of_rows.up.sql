-- What concerns several columns of one row is a domain over the row, for the reason for which what concerns one column is a domain
-- (0014): PostgreSQL reads a table's CHECKs anew for each statement that writes to it, and a domain's once in a session. The one CHECK
-- that is left says nothing but that the row is of its domain. Nothing is of a table's type and null.
--
-- Whoever adds a rule to such a domain later drops the CHECK and adds it again, since only then the rows that there are have to
-- be sound; and whoever changes the type of a column that a rule reads makes the domain anew.
create domain simplebank.sound_account as simplebank.accounts
    constraint accounts_kind_owner_check check (((value).kind = 'customer') = ((value).owner_id is not null))
    constraint accounts_balance_check
        check ((value).owner_id is null or (value).balance - (value).held >= -(value).overdraft_limit)
    constraint accounts_closed_check check ((value).status <> 'closed' or (value).balance = 0 and (value).held = 0)
    constraint accounts_spent_day_check check (((value).spent_day is null) = ((value).spent is null))
    constraint accounts_spent_allowed_check check ((value).spent <= (value).spent_allowed);
alter table simplebank.accounts
    drop constraint accounts_kind_owner_check,
    drop constraint accounts_balance_check,
    drop constraint accounts_closed_check,
    drop constraint accounts_spent_day_check,
    drop constraint accounts_spent_allowed_check,
    add constraint accounts_sound_check check (accounts::simplebank.sound_account is distinct from null);

create domain simplebank.sound_transfer as simplebank.transfers
    constraint transfers_two_accounts_check check ((value).from_account_id <> (value).to_account_id)
    constraint transfers_hold_check check (((value).kind = 'capture') = ((value).hold_id is not null))
    constraint transfers_reverses_check check (((value).kind = 'reversal') = ((value).reverses_id is not null));
alter table simplebank.transfers
    drop constraint transfers_two_accounts_check,
    drop constraint transfers_hold_check,
    drop constraint transfers_reverses_check,
    add constraint transfers_sound_check check (transfers::simplebank.sound_transfer is distinct from null);

create domain simplebank.sound_answer as simplebank.idempotency
    constraint idempotency_outcome_check
        check (num_nonnulls((value).transfer_id, (value).hold_id, (value).rejection_code) = 1)
    constraint idempotency_rejection_check
        check ((value).rejection_subject_id is null or (value).rejection_code is not null);
alter table simplebank.idempotency
    drop constraint idempotency_outcome_check,
    drop constraint idempotency_rejection_check,
    add constraint idempotency_sound_check check (idempotency::simplebank.sound_answer is distinct from null);

-- A trigger for each row before an update has PostgreSQL lock the row, and write to the log that it did, whether the trigger has
-- anything to do or not. One after it costs those who renew the revision themselves, as all postings do, next to nothing.
drop trigger accounts_revision on simplebank.accounts;
drop trigger accounts_stay_closed on simplebank.accounts;

-- With the owner's rights: the application, which sets limits and status, can't set revisions.
create or replace function simplebank.renew_revision() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    update simplebank.accounts set revision = hashtextextended(gen_random_uuid()::text, 0) where id = new.id;
    return null;
end
$$;

create trigger accounts_revision
    after update on simplebank.accounts
    for each row when (new.revision = old.revision)
    execute function simplebank.renew_revision();
create trigger accounts_stay_closed
    after update of status on simplebank.accounts
    for each row when (old.status = 'closed' and new.status <> 'closed')
    execute function simplebank.refuse_reopening();
