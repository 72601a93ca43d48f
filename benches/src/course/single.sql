with moved as (
    update accounts a
    set balance = a.balance + case when a.id = :from then -(:amount)::bigint else (:amount)::bigint end
    where a.id in (:from, :to)
    returning a.id, a.balance
), posted as (
    insert into entries (account_id, amount)
    values (:from, -(:amount)::bigint), (:to, (:amount)::bigint)
    returning id
), transferred as (
    insert into transfers (from_account_id, to_account_id, amount)
    values (:from, :to, (:amount)::bigint)
    returning id, created_at
)
select t.id, t.created_at, m.balance
from transferred t, moved m
where m.id = :from;
