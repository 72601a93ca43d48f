-- One transfer by itself, as `simplebank.post` (0015) would write it, by the same rules and with the same errors. Who comes alone waits
-- for each statement to be made ready, and lists of one cost most of what lists of ten do.
create function simplebank.post_one(
    at timestamptz,
    -- What both accounts are marked with.
    new_revision bigint,
    transfer_id uuid, kind text, currency text, created_by uuid, description text, ref text, hold_id uuid, reverses_id uuid,
    -- The accounts in ascending order, at which revision, and what they become. What the one gets the other pays: who pays gets less
    -- than nothing.
    first_amount bigint,
    first_id uuid, first_revision bigint, first_balance bigint, first_version bigint, first_held bigint,
    first_spent_day date, first_spent bigint, first_spent_allowed bigint,
    second_id uuid, second_revision bigint, second_balance bigint, second_version bigint, second_held bigint,
    second_spent_day date, second_spent bigint, second_spent_allowed bigint,
    -- Under which key it is answered.
    owner_id uuid, key text, content_hash bytea
) returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- Accounts are looked up one after the other, and so locked in ascending order.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    fitting bigint;
begin
    update simplebank.accounts a
    set balance = c.balance, version = c.version, held = c.held, revision = new_revision,
        spent_day = c.spent_day, spent = c.spent, spent_allowed = c.spent_allowed
    from (values (first_id, first_revision, first_amount, first_balance, first_version, first_held,
                  first_spent_day, first_spent, first_spent_allowed),
                 (second_id, second_revision, -first_amount, second_balance, second_version, second_held,
                  second_spent_day, second_spent, second_spent_allowed))
        as c (id, revision, amount, balance, version, held, spent_day, spent, spent_allowed)
    where a.id = c.id
      and a.revision = c.revision
      and a.currency = post_one.currency
      and a.version + 1 = c.version
      and a.balance + c.amount = c.balance
      and first_id < second_id;
    get diagnostics fitting = row_count;
    if fitting <> 2 then
        perform from (values (first_id, first_revision), (second_id, second_revision)) as c (id, revision)
        join simplebank.accounts a on a.id = c.id
        where a.revision not in (c.revision, new_revision);
        if found then
            raise exception 'an account has changed since it was seen' using errcode = 'serialization_failure';
        end if;
        raise exception 'not a posting: % of 2 accounts fit', fitting using errcode = 'integrity_constraint_violation';
    end if;

    insert into simplebank.transfers
        (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version,
         description, reference, hold_id, reverses_id)
    values (transfer_id, kind,
            case when first_amount < 0 then first_id else second_id end, case when first_amount < 0 then second_id else first_id end,
            abs(first_amount), currency, created_by, at,
            case when first_amount < 0 then first_version else second_version end,
            case when first_amount < 0 then second_version else first_version end,
            description, ref, hold_id, reverses_id);

    insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
    values (first_id, first_version, transfer_id, first_amount, first_balance, at),
           (second_id, second_version, transfer_id, -first_amount, second_balance, at);

    insert into simplebank.idempotency (owner_id, key, content_hash, transfer_id, created_at)
    values (owner_id, key, content_hash, transfer_id, at);
    return true;
end
$$;

revoke execute on function simplebank.post_one from public;
grant execute on function simplebank.post_one to simplebank_app;
