-- Whether a user has shown that their e-mail address is theirs, and since when.
alter table simplebank.users add column email_verified_at timestamptz;
grant update (email_verified_at) on simplebank.users to simplebank_app;

create domain simplebank.verification_tries as integer
    constraint email_verifications_tries_check check (value between 0 and 5);
create domain simplebank.email_code_hash as bytea
    constraint email_codes_code_hash_check check (octet_length(value) = 32);

-- A wish to be sent a code.
create table simplebank.email_verifications (
    id uuid constraint email_verifications_pk primary key,
    user_id uuid not null
        constraint email_verifications_user_fk references simplebank.users (id),
    -- Where to: the user's address of that time.
    email text not null,
    -- Wrong codes so far.
    tries simplebank.verification_tries not null default 0,
    used_at timestamptz,
    requested_at timestamptz not null
);

create index email_verifications_user_idx on simplebank.email_verifications (user_id, requested_at);

-- What was sent for it. A mail that is sent again, because nobody knows whether it was, has a code of its own: kept is only the
-- SHA-256, so the old one can't be sent again, and it may have arrived.
create table simplebank.email_codes (
    verification_id uuid not null
        constraint email_codes_verification_fk references simplebank.email_verifications (id) on delete cascade,
    code_hash simplebank.email_code_hash not null,
    expires_at timestamptz not null,
    constraint email_codes_pk primary key (verification_id, code_hash)
);

grant select, insert, delete on simplebank.email_verifications to simplebank_app;
grant update (tries, used_at) on simplebank.email_verifications to simplebank_app;
grant select, insert on simplebank.email_codes to simplebank_app;
