-- Quarantined records may go through the door again. A row stays for ever, as the ledger counts rows: its state
-- says where the record is now.
alter table raw.quarantine
    add column replay_state text not null default 'waiting'
        check (replay_state in ('waiting', 'loaded', 'duplicate')),
    add column replayed_at timestamptz,
    add column replay_batch_id bigint,
    add check ((replay_state = 'waiting') = (replay_batch_id is null)),
    add check ((replay_state = 'waiting') = (replayed_at is null));

comment on column raw.quarantine.first_seen_at is 'When the record was refused first.';
comment on column raw.quarantine.last_seen_at is
    'When it was refused last, for the reason it shows: at its arrival, or by a replay that it failed.';
comment on column raw.quarantine.replay_batch_id is 'The batch that took it out of quarantine, as in ops.ledger.';

-- What a replay reads, in its order.
create index quarantine_waiting_idx on raw.quarantine (quarantine_id) where replay_state = 'waiting';

-- What is wrong with the records, and how many still wait.
create view ops.quarantine_summary as
select
    reason,
    detail,
    contract_version,
    count(*) as records,
    count(*) filter (where replay_state = 'waiting') as waiting,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at
from raw.quarantine
group by reason, detail, contract_version;
