drop function simplebank.post;
revoke insert on simplebank.accounts from simplebank_app;
grant insert on simplebank.transfers, simplebank.entries, simplebank.idempotency, simplebank.accounts to simplebank_app;
grant update (balance, version) on simplebank.accounts to simplebank_app;
