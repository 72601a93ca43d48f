with transferred as materialized (
    insert into transfers (from_account_id, to_account_id, amount)
    values (:from, :to, (:amount)::bigint)
    returning id, created_at
), posted as materialized (
    insert into entries (account_id, amount)
    values (:from, -(:amount)::bigint), (:to, (:amount)::bigint)
    returning id, account_id, amount
), due as materialized (
    select account_id, amount from posted, transferred order by account_id
), moved as (
    update accounts a
    set balance = a.balance + due.amount
    from due
    where a.id = due.account_id
    returning a.id, a.balance
)
select t.id, t.created_at, m.balance
from transferred t, moved m
where m.id = :from;
