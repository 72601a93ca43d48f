-- Work that is done after the transaction that asked for it (docs/adr/0010-jobs-in-a-table-of-our-own.md).
create domain simplebank.job_kind as text
    constraint jobs_kind_check check (value ~ '^[a-z][a-z0-9_]{0,62}$');
create domain simplebank.job_queue as text
    constraint jobs_queue_check check (value in ('critical', 'default'));
create domain simplebank.job_unique_key as text
    constraint jobs_unique_key_check check (char_length(value) between 1 and 255);
create domain simplebank.job_attempts as integer
    constraint jobs_attempts_check check (value >= 0);
create domain simplebank.job_attempts_max as integer
    constraint jobs_attempts_max_check check (value between 1 and 100);
create domain simplebank.job_error as text
    constraint jobs_last_error_check check (char_length(value) <= 1000);

create table simplebank.jobs (
    id uuid constraint jobs_pk primary key,
    kind simplebank.job_kind not null,
    queue simplebank.job_queue not null,
    payload jsonb not null,
    unique_key simplebank.job_unique_key,
    attempts simplebank.job_attempts not null default 0,
    attempts_max simplebank.job_attempts_max not null,
    -- Not before: while somebody is at it, the end of their lease.
    due_at timestamptz not null,
    -- Who is at it, until due_at.
    lease uuid,
    last_error simplebank.job_error,
    -- Since when it is a dead letter.
    dead_at timestamptz,
    created_at timestamptz not null,
    constraint jobs_dead_check check (dead_at is null or lease is null)
);

-- What falls due, in the order in which it is taken.
create index jobs_due_idx on simplebank.jobs (queue, due_at, id) where dead_at is null;

-- A dead letter keeps no new job of its key away.
create unique index jobs_unique_key_key on simplebank.jobs (kind, unique_key) where unique_key is not null and dead_at is null;

-- Wakes the workers when the transaction commits.
create function simplebank.tell_of_jobs() returns trigger
language plpgsql
as $$
begin
    perform pg_catalog.pg_notify('simplebank_jobs', '');
    return null;
end
$$;

create trigger jobs_tell
    after insert on simplebank.jobs
    for each statement execute function simplebank.tell_of_jobs();

grant select, insert, delete on simplebank.jobs to simplebank_app;
grant update (attempts, due_at, lease, last_error, dead_at) on simplebank.jobs to simplebank_app;
