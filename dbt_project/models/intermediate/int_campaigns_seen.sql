-- A row a batch, not an event: what dim_campaigns merges.
{{ config(
    key='batch_id',
    unique_key=['batch_id', 'campaign_id'],
    dirty_keys="
        {{ changed('stg_events', 'batch_id', 'bigint') }}
        union all
        {{ changed('stg_promotions', 'batch_id', 'bigint') }}
        union all
        {{ changed('stg_coupons', 'batch_id', 'bigint') }}
        union all
        {{ changed('stg_orders', 'batch_id', 'bigint') }}
    ",
    emits={'batch_id': 'batch_id'},
    indexes=[{'columns': ['batch_id']}],
) }}

with

sightings as (

    select
        'campaign' as kind,
        coalesce(utm_campaign, '') as code,
        coalesce(utm_source, '') as utm_source,
        coalesce(lower(utm_medium), '') as utm_medium,
        utm_campaign as campaign_name,
        occurred_at,
        batch_id

    from {{ ref('stg_events') }}
    where (utm_campaign is not null or utm_source is not null)
        {{ and_dirty('batch_id') }}

    union all

    select
        'promotion' as kind,
        promotion_id as code,
        '' as utm_source,
        '' as utm_medium,
        promotion_name as campaign_name,
        occurred_at,
        batch_id

    from {{ ref('stg_promotions') }}
    where promotion_id is not null
        {{ and_dirty('batch_id') }}

    union all

    select
        'coupon' as kind,
        coupon as code,
        '' as utm_source,
        '' as utm_medium,
        coupon_name as campaign_name,
        occurred_at,
        batch_id

    from {{ ref('stg_coupons') }}
    where coupon is not null
        {{ and_dirty('batch_id') }}

    union all

    select
        'coupon' as kind,
        coupon as code,
        '' as utm_source,
        '' as utm_medium,
        null as campaign_name,
        occurred_at,
        batch_id

    from {{ ref('stg_orders') }}
    where coupon is not null
        {{ and_dirty('batch_id') }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by batch_id, kind, code, utm_source, utm_medium
            order by case when campaign_name is null then 1 else 0 end, occurred_at desc, campaign_name desc
        ) as recency,
        min(occurred_at) over (partition by batch_id, kind, code, utm_source, utm_medium) as first_seen_at,
        max(occurred_at) over (partition by batch_id, kind, code, utm_source, utm_medium) as last_seen_at

    from sightings

),

final as (

    select
        batch_id,
        {{ dbt.hash("kind || '|' || code || '|' || utm_source || '|' || utm_medium") }} as campaign_id,
        kind,
        code,
        utm_source,
        utm_medium,
        campaign_name,
        case when campaign_name is not null then occurred_at end as named_at,
        first_seen_at,
        last_seen_at

    from ranked
    where recency = 1

)

select * from final
