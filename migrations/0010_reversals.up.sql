alter table simplebank.transfers
    add column reverses_id uuid,
    add constraint transfers_reverses_check check ((kind = 'reversal') = (reverses_id is not null));

-- How much of a transfer has been given back: each reversal continues the one before it, and none goes beyond the whole.
create table simplebank.reversals (
    transfer_id uuid not null
        constraint reversals_transfer_fk references simplebank.transfers (id),
    number bigint not null
        constraint reversals_number_check check (number >= 1),
    reversal_id uuid not null
        constraint reversals_reversal_fk references simplebank.transfers (id)
        constraint reversals_reversal_key unique,
    -- The sum of this one and all before it.
    reversed bigint not null,
    -- What the transfer moved.
    whole bigint not null,
    constraint reversals_pk primary key (transfer_id, number),
    constraint reversals_whole_check check (reversed between 1 and whole)
);

create trigger reversals_append_only
    before update or delete or truncate on simplebank.reversals
    for each statement execute function simplebank.refuse_rewriting();

grant select, insert on simplebank.reversals to simplebank_app;
