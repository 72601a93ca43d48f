-- As before (0015), but for how lists are put side by side: several `unnest` in FROM are a table in memory each, which took half a
-- megabyte for each call, and as long as the rest of a small one; in SELECT they are read in step.
create or replace function simplebank.post(
    at timestamptz,
    -- What the accounts that change are marked with.
    new_revision bigint,
    -- Accounts that the decision rests on and that stay as they are, and at which revision.
    still_ids uuid[], still_revisions bigint[],
    -- The accounts that change, in ascending order, at which revision, and what they become; where in the list of all entries
    -- their first one is, if they have any.
    account_ids uuid[], revisions bigint[], balances bigint[], versions bigint[], helds bigint[],
    spent_days date[], spents bigint[], spents_allowed bigint[], first_entries integer[],
    -- The transfers, and where in the list of all entries theirs are.
    transfer_ids uuid[], kinds text[], amounts bigint[], currencies text[], created_bys uuid[],
    from_entries integer[], to_entries integer[], descriptions text[], refs text[], hold_ids uuid[], reverses_ids uuid[],
    -- The entries, in ascending order of account and version: of which transfer, counted from 1, and what they leave.
    entry_account_ids uuid[], entry_versions bigint[], entry_transfers integer[], entry_amounts bigint[], entry_balances bigint[],
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
-- Accounts are looked up one after the other, and so locked in ascending order.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    fitting bigint;
    counted bigint;
begin
    -- What is compared by its place is what is written by its place.
    if array_lower(transfer_ids, 1) <> 1 or array_lower(amounts, 1) <> 1 or array_lower(currencies, 1) <> 1
        or array_lower(from_entries, 1) <> 1 or array_lower(to_entries, 1) <> 1
        or array_lower(entry_account_ids, 1) <> 1 or array_lower(entry_versions, 1) <> 1 or array_lower(entry_transfers, 1) <> 1
        or array_lower(entry_amounts, 1) <> 1 or array_lower(entry_balances, 1) <> 1
    then
        raise exception 'not a posting: a list does not count from 1' using errcode = 'integrity_constraint_violation';
    end if;

    if cardinality(still_ids) > 0 then
        -- Everything in one order.
        perform from simplebank.accounts a where a.id = any(still_ids || account_ids) order by a.id for no key update;
        select count(*) into fitting
        from (select unnest(still_ids) as id, unnest(still_revisions) as revision) s
        join simplebank.accounts a on a.id = s.id and a.revision = s.revision;
        if fitting <> cardinality(still_ids) then
            raise exception 'an account has changed since it was seen' using errcode = 'serialization_failure';
        end if;
    end if;

    if cardinality(account_ids) > 0 then
        update simplebank.accounts a
        set balance = c.balance, version = c.version, held = c.held, revision = new_revision,
            spent_day = c.spent_day, spent = c.spent, spent_allowed = c.spent_allowed
        from (select unnest(account_ids) as id, unnest(revisions) as revision, unnest(balances) as balance,
                     unnest(versions) as version, unnest(helds) as held, unnest(spent_days) as spent_day,
                     unnest(spents) as spent, unnest(spents_allowed) as spent_allowed, unnest(first_entries) as first) c
        where a.id = c.id
          and a.revision = c.revision
          and case when c.first is null then c.version = a.version and c.balance = a.balance
              -- Its entries begin where it stood, and end where it stands.
              else entry_account_ids[c.first] = c.id
               and entry_versions[c.first] = a.version + 1
               and entry_balances[c.first] - entry_amounts[c.first] = a.balance
               and currencies[entry_transfers[c.first]] = a.currency
               and entry_account_ids[c.first + (c.version - a.version)::integer - 1] = c.id
               and entry_versions[c.first + (c.version - a.version)::integer - 1] = c.version
               and entry_balances[c.first + (c.version - a.version)::integer - 1] = c.balance
              end;
        get diagnostics fitting = row_count;
        if fitting <> cardinality(account_ids) then
            perform from (select unnest(account_ids) as id, unnest(revisions) as revision) c
            join simplebank.accounts a on a.id = c.id
            where a.revision not in (c.revision, new_revision);
            if found then
                raise exception 'an account has changed since it was seen' using errcode = 'serialization_failure';
            end if;
            raise exception 'not a posting: % of % accounts fit', fitting, cardinality(account_ids)
                using errcode = 'integrity_constraint_violation';
        end if;
    end if;

    -- All entries are those of the accounts that change.
    select coalesce(sum(c.version - entry_versions[c.first] + 1), 0) into counted
    from (select unnest(versions) as version, unnest(first_entries) as first) c
    where c.first is not null;
    if counted <> cardinality(entry_account_ids) or counted <> 2 * cardinality(transfer_ids) then
        raise exception 'not a posting: % entries of accounts, % in all, of % transfers',
            counted, cardinality(entry_account_ids), cardinality(transfer_ids)
            using errcode = 'integrity_constraint_violation';
    end if;

    if cardinality(transfer_ids) > 0 then
        insert into simplebank.transfers
            (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version,
             description, reference, hold_id, reverses_id)
        select t.id, t.kind, entry_account_ids[t.from_entry], entry_account_ids[t.to_entry], t.amount, t.currency, t.created_by, at,
               entry_versions[t.from_entry], entry_versions[t.to_entry], t.description, t.reference, t.hold_id, t.reverses_id
        from (select unnest(transfer_ids) as id, unnest(kinds) as kind, unnest(amounts) as amount,
                     unnest(currencies) as currency, unnest(created_bys) as created_by, unnest(from_entries) as from_entry,
                     unnest(to_entries) as to_entry, unnest(descriptions) as description, unnest(refs) as reference,
                     unnest(hold_ids) as hold_id, unnest(reverses_ids) as reverses_id) t;

        -- Each transfer has two places for entries and there are twice as many entries as transfers, so each place is taken once.
        insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
        select e.account_id, e.version, transfer_ids[e.transfer], e.amount, e.balance, at
        from (select unnest(entry_account_ids) as account_id, unnest(entry_versions) as version,
                     unnest(entry_transfers) as transfer, unnest(entry_amounts) as amount, unnest(entry_balances) as balance,
                     generate_series(1, counted::integer) as n) e
        where e.amount = case e.n when from_entries[e.transfer] then -amounts[e.transfer]
                                  when to_entries[e.transfer] then amounts[e.transfer] end
          -- The first of an account's continues the account itself; each other one continues the one before it.
          and case when e.account_id = entry_account_ids[e.n - 1]
              then e.version = entry_versions[e.n - 1] + 1
               and e.balance - e.amount = entry_balances[e.n - 1]
               and currencies[e.transfer] = currencies[entry_transfers[e.n - 1]]
              else coalesce(e.account_id > entry_account_ids[e.n - 1], e.n = 1)
              end;
        get diagnostics fitting = row_count;
        if fitting <> counted then
            raise exception 'not a posting: % of % entries fit', fitting, counted
                using errcode = 'integrity_constraint_violation';
        end if;
    end if;

    insert into simplebank.idempotency
        (owner_id, key, content_hash, transfer_id, hold_id, rejection_code, rejection_subject_id, created_at)
    select unnest(owner_ids), unnest(keys), unnest(content_hashes), unnest(answer_transfer_ids), unnest(answer_hold_ids),
           unnest(rejection_codes), unnest(rejection_subject_ids), at;
    return true;
end
$$;
