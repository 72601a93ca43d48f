drop table simplebank.jobs;
drop function simplebank.tell_of_jobs;
drop domain simplebank.job_kind, simplebank.job_queue, simplebank.job_unique_key, simplebank.job_attempts,
    simplebank.job_attempts_max, simplebank.job_error;
