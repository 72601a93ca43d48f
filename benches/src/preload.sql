-- A ledger with a history of {transfers} transfers over the last {days} days, in which every number can be told from that of the
-- transfer, so that each insert is one pass:
--
-- - Every tenth pays 1.00 into the account 0, from the accounts 1 to {payers} in turn.
-- - The others go around in a ring through the remaining {ring} accounts, each to its neighbour, round after round; in each round
--   an amount of its own. After a round the ring's accounts have what they had before.
create temp table customers as
select substr(u.username, 10)::bigint - 1 as number, a.id as account_id, u.id as owner_id
from simplebank.users u
join simplebank.accounts a on a.owner_id = u.id
where u.username like 'customer\_%';

alter table customers add primary key (number);
analyze customers;

create temp table moves as
select m.n, f.account_id as from_account_id, f.owner_id, m.from_version, m.from_balance,
       t.account_id as to_account_id, m.to_version, m.to_balance, m.amount, m.at,
       (lpad(to_hex((extract(epoch from m.at) * 1000)::bigint), 12, '0') || '7' || substr(m.random, 1, 3) || '8' || substr(m.random, 4, 15))::uuid as id
from (
    select n, 1 + q % {payers} as from_number, q / {payers} + 1 as from_version, -100 * (q / {payers} + 1) as from_balance,
           0::bigint as to_number, q + 1 as to_version, 100 * (q + 1) as to_balance, 100::bigint as amount,
           now() - interval '{days} days' * (1 - n / {transfers}::float8) as at, md5(n::text) as random
    from generate_series(0, {transfers} - 1, 10) n, lateral (select n / 10 as q) hot
    union all
    select n, {payers} + 1 + i as from_number,
           case when i = 0 then 2 * r + 1 else 2 * r + 2 end as from_version, case when i = 0 then -amount else 0 end as from_balance,
           {payers} + 1 + (i + 1) % {ring} as to_number,
           case when i + 1 = {ring} then 2 * r + 2 else 2 * r + 1 end as to_version,
           case when i + 1 = {ring} then 0 else amount end as to_balance, amount,
           now() - interval '{days} days' * (1 - n / {transfers}::float8) as at, md5(n::text) as random
    from generate_series(0, {transfers}::bigint - 1) n,
         lateral (select (n - n / 10 - 1) / {ring} as r, (n - n / 10 - 1) % {ring} as i) place,
         lateral (select 100 + r % 50 as amount) round
    where n % 10 <> 0
) m
join customers f on f.number = m.from_number
join customers t on t.number = m.to_number
order by m.n;

insert into simplebank.transfers
    (id, kind, from_account_id, to_account_id, amount, currency, created_by, created_at, from_version, to_version)
select id, 'transfer', from_account_id, to_account_id, amount, 'EUR', owner_id, at, from_version, to_version
from moves;

insert into simplebank.entries (account_id, version, transfer_id, amount, balance_after, created_at)
select s.account_id, s.version, m.id, s.amount, s.balance_after, m.at
from moves m,
     lateral (values (from_account_id, from_version, -amount, from_balance), (to_account_id, to_version, amount, to_balance))
        as s (account_id, version, amount, balance_after);

insert into simplebank.idempotency (owner_id, key, content_hash, transfer_id, created_at)
select owner_id, 'history-' || n,
       sha256(convert_to(
           owner_id || E'\nhistory-' || n || E'\ntransfer|' || from_account_id || '|' || to_account_id || '|' || amount || '|EUR', 'UTF8'
       )),
       id, at
from moves;

update simplebank.accounts a
set balance = e.balance_after, version = e.version, revision = a.revision + 1
from customers c,
     lateral (
         select version, balance_after
         from simplebank.entries
         where account_id = c.account_id
         order by version desc
         limit 1
     ) e
where a.id = c.account_id;
