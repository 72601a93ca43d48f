-- Who waits for whose lock in this database: first those who only make others wait, then the longest wait.
with
    locks as materialized (
        select pid, granted, locktype, mode, relation, waitstart
        from pg_catalog.pg_locks
    ),
    waits as materialized (
        select l.pid, b.blocked_by, l.locktype, l.mode, l.waitstart,
               -- Who waits for a row waits for the transaction that has it, and meanwhile holds the row's place in the queue.
               coalesce(
                   l.relation,
                   (select min(q.relation) from locks q where q.pid = l.pid and q.granted and q.locktype = 'tuple')
               ) as relation
        from locks l
        join pg_catalog.pg_stat_activity a on a.pid = l.pid
        cross join lateral pg_catalog.pg_blocking_pids(l.pid) as b (blocked_by)
        where not l.granted
          and a.datname = current_database()
          and cardinality(b.blocked_by) > 0
    )
select a.pid,
       w.blocked_by,
       (extract(epoch from clock_timestamp() - w.waitstart) * 1000)::bigint as waiting_ms,
       w.locktype as lock,
       w.mode,
       w.relation::regclass::text as relation,
       a.application_name,
       a.usename::text as login,
       a.state,
       (extract(epoch from clock_timestamp() - a.xact_start) * 1000)::bigint as transaction_ms,
       -- Whoever may not look into a session is not told its state, its times and its statement.
       a.backend_start is null as is_hidden,
       case when a.backend_start is not null then left(regexp_replace(a.query, '\s+', ' ', 'g'), 80) end as query
from pg_catalog.pg_stat_activity a
left join waits w on w.pid = a.pid
where w.pid is not null or a.pid in (select unnest(blocked_by) from waits)
order by w.waitstart nulls first, a.pid
