-- What was answered to an order under its key: a transfer, or a refusal. Kept for ever.
create table simplebank.idempotency (
    owner_id uuid not null
        constraint idempotency_owner_fk references simplebank.users (id),
    key text not null
        constraint idempotency_key_check check (char_length(key) between 1 and 255),
    -- SHA-256 of the order's content: another content under the same key is refused.
    content_hash bytea not null
        constraint idempotency_content_hash_check check (octet_length(content_hash) = 32),
    transfer_id uuid
        constraint idempotency_transfer_fk references simplebank.transfers (id)
        constraint idempotency_transfer_key unique,
    rejection_code text,
    rejection_account_id uuid,
    created_at timestamptz not null,
    constraint idempotency_pk primary key (owner_id, key),
    constraint idempotency_outcome_check check ((transfer_id is null) <> (rejection_code is null)),
    constraint idempotency_rejection_check check (rejection_account_id is null or rejection_code is not null)
);

create trigger idempotency_append_only
    before update or delete or truncate on simplebank.idempotency
    for each statement execute function simplebank.refuse_rewriting();

grant select, insert on simplebank.idempotency to simplebank_app;
