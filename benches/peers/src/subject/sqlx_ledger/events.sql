-- What sqlx-ledger's `SqlxLedger::events` listens to: a row and a notification for each transaction and each balance.
create table sqlx_ledger_events (
    id bigserial primary key,
    type varchar not null,
    data jsonb not null,
    recorded_at timestamptz not null default now()
);

create function sqlx_ledger_write_event() returns trigger language plpgsql as $$
declare
    kind varchar := tg_argv[0];
begin
    if kind = 'Transaction' then
        kind := case when new.version = 1 then 'TransactionCreated' else 'TransactionUpdated' end;
    end if;
    insert into sqlx_ledger_events (type, data, recorded_at)
    values (kind, to_jsonb(new), new.modified_at);
    return null;
end $$;

create trigger write_event after insert on sqlx_ledger_transactions
for each row execute function sqlx_ledger_write_event('Transaction');

create trigger write_event after insert on sqlx_ledger_balances
for each row execute function sqlx_ledger_write_event('BalanceUpdated');

create function sqlx_ledger_notify_event() returns trigger language plpgsql as $$
begin
    perform pg_notify('sqlx_ledger_events', row_to_json(new)::text);
    return null;
end $$;

create trigger notify_event after insert on sqlx_ledger_events
for each row execute function sqlx_ledger_notify_event();
