alter table simplebank.accounts drop column notice_from;
drop domain simplebank.notice_from;
