-- A refresh token is good for one renewal (docs/adr/0011-refresh-tokens-rotate.md). refresh_token_hash is that of the newest from now
-- on, the SHA-256 of the ids of the session and of the token.
alter table simplebank.sessions
    -- How often it was renewed.
    add column generation integer not null default 0
        constraint sessions_generation_check check (generation >= 0),
    -- That of the one before, which may be shown again for a moment by whoever has lost the answer.
    add column previous_token_hash bytea
        constraint sessions_previous_token_hash_check check (octet_length(previous_token_hash) = 32),
    -- From this and from the token before, and from neither alone, follows the id of the newest.
    add column rotation_salt bytea
        constraint sessions_rotation_salt_check check (octet_length(rotation_salt) = 32),
    -- When the newest was made.
    add column renewed_at timestamptz,
    -- When the session ends unless it is renewed; expires_at is when it ends even so.
    add column idle_ends_at timestamptz,
    -- With what the user logged in, as it has named itself.
    add column user_agent text
        constraint sessions_user_agent_check check (char_length(user_agent) between 1 and 200),
    add constraint sessions_rotation_check
        check ((generation = 0) = (previous_token_hash is null) and (generation = 0) = (rotation_salt is null));

update simplebank.sessions
set renewed_at = created_at,
    idle_ends_at = expires_at;

grant delete on simplebank.sessions to simplebank_app;
grant update (generation, previous_token_hash, rotation_salt, renewed_at, idle_ends_at) on simplebank.sessions to simplebank_app;

-- What has ended was told when it did; that it is cleared away is no news.
drop trigger sessions_tell_deletion on simplebank.sessions;
create trigger sessions_tell_deletion
    after delete on simplebank.sessions
    for each row when (old.revoked_at is null)
    execute function simplebank.tell_login();
