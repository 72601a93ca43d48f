alter table simplebank.idempotency rename column rejection_subject_id to rejection_account_id;
alter table simplebank.idempotency
    add constraint idempotency_owner_fk foreign key (owner_id) references simplebank.users (id),
    add constraint idempotency_transfer_fk foreign key (transfer_id) references simplebank.transfers (id),
    add constraint idempotency_transfer_key unique (transfer_id);
alter table simplebank.accounts add constraint accounts_id_currency_key unique (id, currency);
alter table simplebank.entries
    add constraint entries_account_fk foreign key (account_id) references simplebank.accounts (id),
    add constraint entries_transfer_fk foreign key (transfer_id) references simplebank.transfers (id),
    add constraint entries_transfer_account_key unique (transfer_id, account_id);
alter table simplebank.transfers
    drop column from_version,
    drop column to_version,
    drop column description,
    drop column reference,
    drop constraint transfers_kind_check,
    add constraint transfers_kind_check check (kind in ('transfer', 'deposit', 'withdrawal')),
    add constraint transfers_created_by_fk foreign key (created_by) references simplebank.users (id),
    add constraint transfers_from_account_fk foreign key (from_account_id, currency)
        references simplebank.accounts (id, currency),
    add constraint transfers_to_account_fk foreign key (to_account_id, currency)
        references simplebank.accounts (id, currency);
drop trigger accounts_stay on simplebank.accounts;
drop trigger users_stay on simplebank.users;
drop trigger accounts_revision on simplebank.accounts;
drop trigger accounts_identity on simplebank.accounts;
drop function simplebank.refuse_deletion;
drop function simplebank.renew_revision;
alter table simplebank.accounts drop column revision, reset (fillfactor);
