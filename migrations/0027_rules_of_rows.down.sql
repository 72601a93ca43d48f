drop trigger accounts_revision on simplebank.accounts;
drop trigger accounts_stay_closed on simplebank.accounts;

create or replace function simplebank.renew_revision() returns trigger
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
create trigger accounts_stay_closed
    before update of status on simplebank.accounts
    for each row when (old.status = 'closed' and new.status <> 'closed')
    execute function simplebank.refuse_reopening();

alter table simplebank.idempotency
    drop constraint idempotency_sound_check,
    add constraint idempotency_outcome_check check (num_nonnulls(transfer_id, hold_id, rejection_code) = 1),
    add constraint idempotency_rejection_check check (rejection_subject_id is null or rejection_code is not null);

alter table simplebank.transfers
    drop constraint transfers_sound_check,
    add constraint transfers_two_accounts_check check (from_account_id <> to_account_id),
    add constraint transfers_hold_check check ((kind = 'capture') = (hold_id is not null)),
    add constraint transfers_reverses_check check ((kind = 'reversal') = (reverses_id is not null));

alter table simplebank.accounts
    drop constraint accounts_sound_check,
    add constraint accounts_kind_owner_check check ((kind = 'customer') = (owner_id is not null)),
    add constraint accounts_balance_check check (owner_id is null or balance - held >= -overdraft_limit),
    add constraint accounts_closed_check check (status <> 'closed' or (balance = 0 and held = 0)),
    add constraint accounts_spent_day_check check ((spent_day is null) = (spent is null)),
    add constraint accounts_spent_allowed_check check (spent <= spent_allowed);

drop domain simplebank.sound_account, simplebank.sound_transfer, simplebank.sound_answer;
