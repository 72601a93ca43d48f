-- The application's role. Whoever runs the migrations owns the tables; whoever serves customers takes this role, which can
-- add to the ledger and never rewrite it. Roles belong to the whole cluster, so another database may have made it already,
-- or be making it now.
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'simplebank_app') then
        create role simplebank_app nologin;
    end if;
exception
    when duplicate_object or unique_violation then null;
end
$$;

do $$
begin
    if not pg_catalog.pg_has_role(current_user, 'simplebank_app', 'member') then
        execute format('grant simplebank_app to %I', current_user);
    end if;
end
$$;

grant usage on schema simplebank to simplebank_app;
grant select on simplebank.migrations to simplebank_app;

-- Refuses whatever a trigger hangs it on: the ledger is append-only for everybody, the owner included.
create function simplebank.refuse_rewriting() returns trigger
language plpgsql
as $$
begin
    raise exception '% of simplebank.% refused: the ledger is append-only', tg_op, tg_table_name
        using errcode = 'insufficient_privilege',
        hint = 'post a new transfer that corrects the old one';
end
$$;
