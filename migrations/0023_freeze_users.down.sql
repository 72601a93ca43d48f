alter table simplebank.users drop column frozen_at;
