-- An account that is closed stays so, with nothing in it, and makes room for a new one in its currency.
alter table simplebank.accounts
    drop constraint accounts_owner_currency_key,
    add constraint accounts_closed_check check (status <> 'closed' or (balance = 0 and held = 0));

create unique index accounts_owner_currency_key on simplebank.accounts (owner_id, currency) where status <> 'closed';

-- The accounts of a customer in the order in which they are listed.
create index accounts_owner_idx on simplebank.accounts (owner_id, id) where owner_id is not null;

create function simplebank.refuse_reopening() returns trigger
language plpgsql
as $$
begin
    raise exception 'account % is closed for good', old.id
        using errcode = 'insufficient_privilege',
        hint = 'open a new account';
end
$$;

create trigger accounts_stay_closed
    before update of status on simplebank.accounts
    for each row when (old.status = 'closed' and new.status <> 'closed')
    execute function simplebank.refuse_reopening();
