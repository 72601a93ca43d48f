-- Who remembers logins is told when one has ended or means something else, whoever has done it: the id of the session, or of
-- the user, for all of theirs. A notice is delivered when its transaction has committed, and to nobody otherwise.
create function simplebank.tell_login() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_notify('simplebank_logins', old.id::text);
    return null;
end
$$;

create trigger sessions_tell
    after update of revoked_at, expires_at, user_id or delete on simplebank.sessions
    for each row execute function simplebank.tell_login();
create trigger users_tell
    after update of role, username, password_changed_at on simplebank.users
    for each row execute function simplebank.tell_login();
