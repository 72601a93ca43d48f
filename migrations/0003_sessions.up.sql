create table simplebank.sessions (
    id uuid constraint sessions_pk primary key,
    user_id uuid not null
        constraint sessions_user_fk references simplebank.users (id),
    -- SHA-256 of the refresh token: who reads this table can't log in with it.
    refresh_token_hash bytea not null
        constraint sessions_refresh_token_hash_key unique
        constraint sessions_refresh_token_hash_check check (octet_length(refresh_token_hash) = 32),
    revoked_at timestamptz,
    expires_at timestamptz not null,
    created_at timestamptz not null
);

create index sessions_user_idx on simplebank.sessions (user_id);

grant select, insert on simplebank.sessions to simplebank_app;
grant update (refresh_token_hash, revoked_at, expires_at) on simplebank.sessions to simplebank_app;
