drop trigger users_tell on simplebank.users;
drop trigger sessions_tell on simplebank.sessions;
drop function simplebank.tell_login();
