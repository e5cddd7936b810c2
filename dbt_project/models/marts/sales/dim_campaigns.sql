-- The latest of what was known and what is new: events are never read again.
{%- set columns -%}
    campaign_id, kind, code, utm_source, utm_medium, campaign_name, named_at, first_seen_at, last_seen_at
{%- endset -%}
{{ config(
    key='campaign_id',
    unique_key='campaign_id',
    dirty_keys="
        select campaign_id from {{ ref('int_campaigns_seen') }}
        where batch_id in ({{ changed('int_campaigns_seen', 'batch_id', 'bigint') }})
    ",
    indexes=[{'columns': ['campaign_id'], 'unique': true}],
) }}

with

known as (

    select {{ columns }}
    from {{ ref('int_campaigns_seen') }}
    where true
        {{ and_new('int_campaigns_seen') }}

    {{ in_increments("union all select " ~ columns ~ " from " ~ this ~ " where campaign_id in (select key from dirty_keys)") }}

),

ranked as (

    select
        campaign_id,
        kind,
        code,
        utm_source,
        utm_medium,
        campaign_name,
        named_at,
        min(first_seen_at) over (partition by campaign_id) as first_seen_at,
        max(last_seen_at) over (partition by campaign_id) as last_seen_at,
        row_number() over (
            partition by campaign_id
            order by case when named_at is null then 1 else 0 end, named_at desc, campaign_name desc
        ) as recency

    from known

),

final as (

    select {{ columns }}
    from ranked
    where recency = 1

)

select * from final
