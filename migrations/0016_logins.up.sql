-- Servers keep logins that they have read (docs/adr/0004-session-read-on-every-request.md). Whoever ends a session or changes a
-- user, by whatever means, is heard by all of them: the id of the session, or of the user whose sessions are meant, or nothing
-- for everybody's.
create function simplebank.tell_login() returns trigger
language plpgsql
as $$
begin
    perform pg_catalog.pg_notify('simplebank_logins', old.id::text);
    return null;
end
$$;

create function simplebank.tell_all_logins() returns trigger
language plpgsql
as $$
begin
    perform pg_catalog.pg_notify('simplebank_logins', '');
    return null;
end
$$;

-- A renewal changes the hash of the refresh token alone, and nothing that a request is judged by.
create trigger sessions_tell
    after update on simplebank.sessions
    for each row
    when ((old.user_id, old.revoked_at, old.expires_at) is distinct from (new.user_id, new.revoked_at, new.expires_at))
    execute function simplebank.tell_login();

create trigger sessions_tell_deletion
    after delete on simplebank.sessions
    for each row execute function simplebank.tell_login();

create trigger sessions_tell_truncation
    after truncate on simplebank.sessions
    for each statement execute function simplebank.tell_all_logins();

create trigger users_tell
    after update on simplebank.users
    for each row when (old.* is distinct from new.*)
    execute function simplebank.tell_login();
