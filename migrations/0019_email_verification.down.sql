drop table simplebank.email_codes;
drop table simplebank.email_verifications;
drop domain simplebank.verification_tries, simplebank.email_code_hash;
alter table simplebank.users drop column email_verified_at;
