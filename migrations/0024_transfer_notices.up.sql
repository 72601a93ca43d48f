-- From which amount on the owner of an account is told by mail what went out of it.
create domain simplebank.notice_from as bigint
    constraint accounts_notice_from_check check (value > 0);
alter table simplebank.accounts add column notice_from simplebank.notice_from;
grant update (notice_from) on simplebank.accounts to simplebank_app;
