drop trigger users_tell on simplebank.users;
drop trigger sessions_tell_truncation on simplebank.sessions;
drop trigger sessions_tell_deletion on simplebank.sessions;
drop trigger sessions_tell on simplebank.sessions;
drop function simplebank.tell_all_logins();
drop function simplebank.tell_login();
