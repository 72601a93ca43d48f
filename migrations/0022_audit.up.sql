-- Who did what that others must be able to look up later (docs/adr/0013-the-audit-record.md).
create table simplebank.audit (
    -- In which order lines were written.
    number bigint generated always as identity
        constraint audit_pk primary key,
    at timestamptz not null,
    -- Nobody knows who, where somebody was refused who had not proven it.
    actor_id uuid
        constraint audit_actor_fk references simplebank.users (id),
    action text not null
        constraint audit_action_check check (action ~ '^[a-z][a-z_]{2,62}$'),
    -- On what.
    object_kind text,
    object_id uuid,
    -- What more there is to say; never what somebody typed.
    detail text
        constraint audit_detail_check check (char_length(detail) between 1 and 200),
    -- From where, and in which request; neither is known of what the command line does.
    address inet,
    request_id text
        constraint audit_request_id_check check (char_length(request_id) between 1 and 64),
    -- How many it stands for.
    times integer not null
        constraint audit_times_check check (times >= 1),
    constraint audit_object_check check ((object_kind is null) = (object_id is null))
);

create index audit_actor_idx on simplebank.audit (actor_id, number);
create index audit_object_idx on simplebank.audit (object_id, number) where object_id is not null;
create index audit_action_idx on simplebank.audit (action, number);

create trigger audit_append_only
    before update or delete or truncate on simplebank.audit
    for each statement execute function simplebank.refuse_rewriting();

grant select, insert on simplebank.audit to simplebank_app;
