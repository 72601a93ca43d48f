begin;
insert into transfers (from_account_id, to_account_id, amount) values (:from, :to, :amount) returning id, from_account_id, to_account_id, amount, created_at;
insert into entries (account_id, amount) values (:from, -(:amount)::bigint) returning id, account_id, amount, created_at;
insert into entries (account_id, amount) values (:to, :amount) returning id, account_id, amount, created_at;
\if :from < :to
update accounts set balance = balance - :amount where id = :from returning id, owner, balance, currency, created_at;
update accounts set balance = balance + :amount where id = :to returning id, owner, balance, currency, created_at;
\else
update accounts set balance = balance + :amount where id = :to returning id, owner, balance, currency, created_at;
update accounts set balance = balance - :amount where id = :from returning id, owner, balance, currency, created_at;
\endif
commit;
