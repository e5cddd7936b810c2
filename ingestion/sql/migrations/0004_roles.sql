-- What each role may do, granted anew at each migration, so a role that was made later gets its rights too.
-- Roles belong to the server, not to this database: whoever runs the server makes them; `mercato up` does locally.
create function ops.grant_roles() returns void
language plpgsql as $$
begin
    execute format('revoke all on database %I from public', current_database());
    revoke execute on all functions in schema raw, ops from public;
    if to_regrole('mercato_loader') is not null then
        execute format('grant connect on database %I to mercato_loader', current_database());
        grant usage on schema raw, ops to mercato_loader;
        -- on conflict and returning read the id, nothing else is read
        grant insert, select (message_id) on raw.message_ids to mercato_loader;
        grant insert on raw.events, raw.quarantine, ops.ledger to mercato_loader;
        grant select, insert, update on ops.positions, ops.delays, ops.schema_drift_by_partition to mercato_loader;
        grant execute on function ops.add_counts to mercato_loader;
        grant usage on sequence ops.batch_id_seq to mercato_loader;
    end if;
end $$;
