-- The newest entry of the account $1 that was decided at $2 or before: its version and the balance after it; zeros before the
-- first. By the key alone, and so without an index of its own: the search begins before the first entry with a step of $3,
-- the greatest power of two that is no greater than the account's version, takes each step that leads to an entry of $2 or
-- before, and halves it. Ten million entries are 24 steps.
with recursive search (step, version, balance) as (
    select $3::bigint, 0::bigint, 0::bigint
    union all
    select s.step / 2, coalesce(e.version, s.version), coalesce(e.balance_after, s.balance)
    from search s
    left join lateral (
        select version, balance_after
        from simplebank.entries
        where account_id = $1
          and version = s.version + s.step
          and created_at <= $2
        offset 0 -- keeps this a look-up for each step, whatever the planner believes of the table
    ) e on true
    where s.step > 0
)
select version as "version!", balance as "balance!"
from search
order by step
limit 1
