drop function simplebank.post;
-- As 0012 made it.
create function simplebank.post(
    at timestamptz,
    -- What the accounts that change are marked with.
    new_revision bigint,
    -- The accounts that the decision rests on, in ascending order, and at which revision.
    seen_ids uuid[], seen_revisions bigint[],
    -- Those of them that change, in ascending order, and what they become.
    changed_ids uuid[], balances bigint[], versions bigint[], helds bigint[],
    spent_days date[], spents bigint[], spents_allowed bigint[],
    -- The transfers, with where their entries go and what they leave.
    transfer_ids uuid[], kinds text[], from_account_ids uuid[], to_account_ids uuid[], amounts bigint[], currencies text[],
    created_bys uuid[], from_versions bigint[], from_balances bigint[], to_versions bigint[], to_balances bigint[],
    descriptions text[], refs text[], hold_ids uuid[], reverses_ids uuid[],
    -- What is answered to whom under which key.
    owner_ids uuid[], keys text[], content_hashes bytea[], answer_transfer_ids uuid[], answer_hold_ids uuid[],
    rejection_codes text[], rejection_subject_ids uuid[]
) returns boolean
language plpgsql
-- Nothing happens without all of them: a missing list would make a comparison neither true nor false.
strict
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
    -- The accounts' sides of all transfers, in ascending order of their ids, as `changed_ids` are.
    side_ids uuid[];
    changes numeric[];
    openings bigint[];
    chained boolean[];
    counts bigint[];
    firsts bigint[];
    lasts bigint[];
    currencies_min text[];
    currencies_max text[];
    locked_revisions bigint[];
    fitting bigint;
begin
    select array_agg(locked.revision) into locked_revisions
    from (
        select a.revision from simplebank.accounts a where a.id = any(seen_ids) order by a.id for no key update
    ) as locked;
    if coalesce(locked_revisions, '{}') is distinct from seen_revisions then
        return false;
    end if;

    -- Key by key, whatever the planner believes of the table's size.
    perform from unnest(owner_ids, keys) as k (owner_id, key)
    cross join lateral (
        select from simplebank.idempotency i where i.owner_id = k.owner_id and i.key = k.key offset 0
    ) as answered;
    if found then
        return false;
    end if;

    if changed_ids <> seen_ids and exists (select unnest(changed_ids) except select unnest(seen_ids)) then
        raise exception 'an account that changes has not been seen' using errcode = 'integrity_constraint_violation';
    end if;

    select coalesce(array_agg(account_id), '{}'), array_agg(change), array_agg(opening), array_agg(is_chained), array_agg(entries),
           array_agg(first), array_agg(last), array_agg(currency_min), array_agg(currency_max)
    into side_ids, changes, openings, chained, counts, firsts, lasts, currencies_min, currencies_max
    from (
        -- The first of an account's entries leaves what the account held and its amount; each other, what the one before it left.
        select account_id, sum(amount) as change, count(version) as entries, min(version) as first, max(version) as last,
               min(currency) as currency_min, max(currency) as currency_max,
               min(left_before) filter (where is_first) as opening,
               coalesce(bool_and(left_before = balance_before) filter (where not is_first), true) as is_chained
        from (
            select account_id, amount, version, currency, balance_after - amount as left_before,
                   lag(balance_after) over chain as balance_before, lag(version) over chain is null as is_first
            from (
                select account_id, -amount as amount, version, currency, balance_after
                from unnest(from_account_ids, amounts, from_versions, currencies, from_balances)
                    as f (account_id, amount, version, currency, balance_after)
                union all
                select account_id, amount, version, currency, balance_after
                from unnest(to_account_ids, amounts, to_versions, currencies, to_balances)
                    as t (account_id, amount, version, currency, balance_after)
                union all
                select account_id, 0, null, null, null from unnest(changed_ids) as c (account_id)
            ) as side
            window chain as (partition by account_id order by version)
        ) as linked
        group by account_id
        order by account_id
    ) as sides;
    update simplebank.accounts a
    set balance = c.balance, version = c.version, held = c.held, revision = new_revision,
        spent_day = c.spent_day, spent = c.spent, spent_allowed = c.spent_allowed
    from unnest(changed_ids, balances, versions, helds, spent_days, spents, spents_allowed,
                changes, openings, chained, counts, firsts, lasts, currencies_min, currencies_max)
        as c (id, balance, version, held, spent_day, spent, spent_allowed,
              change, opening, is_chained, entries, first, last, currency_min, currency_max)
    where a.id = c.id
      and c.balance = a.balance + c.change
      and c.version = a.version + c.entries
      and (c.entries = 0 or c.first = a.version + 1 and c.last = c.version
           and c.opening = a.balance and c.is_chained
           and c.currency_min = a.currency and c.currency_max = a.currency);
    get diagnostics fitting = row_count;
    if side_ids is distinct from changed_ids or fitting is distinct from cardinality(changed_ids) then
        raise exception 'not a posting: % of % accounts that change fit % that are named',
            fitting, cardinality(changed_ids), cardinality(side_ids)
            using errcode = 'integrity_constraint_violation';
    end if;

    insert into simplebank.transfers
        (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version,
         description, reference, hold_id, reverses_id)
    select t.id, t.kind, t.from_account_id, t.to_account_id, t.amount, t.currency, t.created_by, at, t.from_version, t.to_version,
           t.description, t.reference, t.hold_id, t.reverses_id
    from unnest(transfer_ids, kinds, from_account_ids, to_account_ids, amounts, currencies, created_bys, from_versions, to_versions,
                descriptions, refs, hold_ids, reverses_ids)
        as t (id, kind, from_account_id, to_account_id, amount, currency, created_by, from_version, to_version,
              description, reference, hold_id, reverses_id);

    insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
    select account_id, version, transfer_id, -amount, balance_after, at
    from unnest(from_account_ids, from_versions, transfer_ids, amounts, from_balances)
        as f (account_id, version, transfer_id, amount, balance_after)
    union all
    select account_id, version, transfer_id, amount, balance_after, at
    from unnest(to_account_ids, to_versions, transfer_ids, amounts, to_balances)
        as t (account_id, version, transfer_id, amount, balance_after);

    insert into simplebank.idempotency
        (owner_id, key, content_hash, transfer_id, hold_id, rejection_code, rejection_subject_id, created_at)
    select owner_id, key, content_hash, transfer_id, hold_id, rejection_code, rejection_subject_id, at
    from unnest(owner_ids, keys, content_hashes, answer_transfer_ids, answer_hold_ids, rejection_codes, rejection_subject_ids)
        as r (owner_id, key, content_hash, transfer_id, hold_id, rejection_code, rejection_subject_id);
    return true;
end
$$;

revoke execute on function simplebank.post from public;
grant execute on function simplebank.post to simplebank_app;
