create table simplebank.users (
    id uuid constraint users_pk primary key,
    username text not null
        constraint users_username_key unique
        constraint users_username_check check (username ~ '^[a-z][a-z0-9_]{2,31}$'),
    -- A PHC string; '!' fits no password.
    password_hash text not null,
    full_name text not null,
    -- Not unique: until an address is verified it proves nothing, and a refusal would tell strangers who banks here.
    email text not null,
    role text not null
        constraint users_role_check check (role in ('depositor', 'banker')),
    password_changed_at timestamptz not null,
    created_at timestamptz not null
);

-- The operator, who works beside the database: owner of the idempotency keys that the command line uses.
insert into simplebank.users (id, username, password_hash, full_name, email, role, password_changed_at, created_at)
values ('00000000-0000-7000-8000-000000000001', 'operator', '!', 'Operator', 'operator@localhost.localdomain', 'banker', now(), now());

grant select on simplebank.users to simplebank_app;
grant insert on simplebank.users to simplebank_app;
grant update (password_hash, full_name, email, role, password_changed_at) on simplebank.users to simplebank_app;
