-- Updated in place, in one transaction: a table built anew would take the views on it away with the old one.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='fail',
    pre_hook="{% if is_incremental() %}delete from {{ this }}{% endif %}"
) }}

-- Every transaction before xmin has ended, so no batch before it can still appear. A time or a sequence can't
-- promise that: a batch that began earlier may commit later and would be passed over for ever.
-- Stored: all models of a run, and of runs of later layers, see the same events while loading goes on.
select
    {{ load_watermark() }} as load_xid,
    now() as advanced_at
