-- What each role may do, granted anew at each migration and by `grant_roles`, so a role or table that was made later gets
-- its rights too. Roles belong to the server (mercato/services/roles.py); one that isn't there is passed over, so a
-- warehouse with a single user works, too.
--   owner                raw, ops, and by membership what the transformer owns
--   mercato_loader       inserts what a batch writes
--   mercato_transformer  reads raw and ops, owns the schemas of the models, keeps their books
--   mercato_reader       reads reports and ops

drop function if exists ops.grant_reader();

-- The tables of these names that there are, for grants: an older or newer migration may make them.
create function ops.existing(variadic names text[]) returns text
language sql stable as $$
    select string_agg(name, ', ') from unnest(names) as name where to_regclass(name) is not null
$$;

create function ops.grant_transformer() returns void
language plpgsql as $$
declare
    layer text;
    relation regclass;
    kind "char";
begin
    -- It makes schemas of its own for copies and for builds of changes; those of others it can't touch.
    execute format('grant connect, create, temporary on database %I to mercato_transformer', current_database());
    grant usage on schema raw, ops to mercato_transformer;
    grant select on all tables in schema raw, ops to mercato_transformer;
    grant execute on all functions in schema ops to mercato_transformer;
    revoke execute on function ops.grant_roles, ops.grant_transformer, ops.grant_reader from mercato_transformer;
    grant insert, update, delete on ops.models, ops.model_changes, ops.model_reads to mercato_transformer;
    grant insert on ops.dbt_results to mercato_transformer;
    if to_regclass('ops.model_keys_due') is not null then
        grant insert, delete on ops.model_keys_due to mercato_transformer;
    end if;
    -- Its schemas, and what another user built in them: who doesn't own a table can't build it anew.
    foreach layer in array array['staging', 'intermediate', 'marts', 'reports', 'snapshots', 'test_failures'] loop
        execute format('create schema if not exists %I', layer);
        if (select nspowner <> to_regrole('mercato_transformer') from pg_namespace where nspname = layer) then
            execute format('alter schema %I owner to mercato_transformer', layer);
        end if;
        for relation, kind in
            select oid, relkind from pg_class
            where relnamespace = layer::regnamespace and relkind in ('r', 'v', 'm')
                and relowner <> to_regrole('mercato_transformer')
        loop
            execute format('alter %s %s owner to mercato_transformer',
                case kind when 'v' then 'view' when 'm' then 'materialized view' else 'table' end, relation);
        end loop;
    end loop;
end $$;

create function ops.grant_reader() returns void
language plpgsql as $$
begin
    execute format('grant connect on database %I to mercato_reader', current_database());
    grant usage on schema ops to mercato_reader;
    grant select on all tables in schema ops to mercato_reader;
    grant execute on all functions in schema ops to mercato_reader;
    revoke execute on function ops.grant_roles, ops.grant_transformer, ops.grant_reader from mercato_reader;
    -- What dbt makes later in reports is readable, too, whoever of the two runs it.
    create schema if not exists reports;
    grant usage on schema reports to mercato_reader;
    grant select on all tables in schema reports to mercato_reader;
    alter default privileges in schema reports grant select on tables to mercato_reader;
    if to_regrole('mercato_transformer') is not null then
        alter default privileges for role mercato_transformer in schema reports grant select on tables to mercato_reader;
    end if;
end $$;

create or replace function ops.grant_roles() returns void
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
        execute format('grant select, insert, update on %s to mercato_loader', ops.existing(
            'ops.positions', 'ops.delays', 'ops.schema_drift_by_partition', 'ops.event_hours', 'ops.live_events'));
        grant execute on function ops.add_counts to mercato_loader;
        grant usage on sequence ops.batch_id_seq to mercato_loader;
    end if;
    if to_regrole('mercato_transformer') is not null then
        perform ops.grant_transformer();
    end if;
    if to_regrole('mercato_reader') is not null then
        perform ops.grant_reader();
    end if;
end $$;
