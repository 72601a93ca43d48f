drop trigger sessions_tell_deletion on simplebank.sessions;
create trigger sessions_tell_deletion
    after delete on simplebank.sessions
    for each row execute function simplebank.tell_login();
revoke delete on simplebank.sessions from simplebank_app;
alter table simplebank.sessions
    drop constraint sessions_rotation_check,
    drop column generation,
    drop column previous_token_hash,
    drop column rotation_salt,
    drop column renewed_at,
    drop column idle_ends_at,
    drop column user_agent;
