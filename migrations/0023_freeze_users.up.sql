-- Since when a user may not log in. Their accounts go on: who may not pay out of them either freezes those, too.
alter table simplebank.users add column frozen_at timestamptz;
grant update (frozen_at) on simplebank.users to simplebank_app;
