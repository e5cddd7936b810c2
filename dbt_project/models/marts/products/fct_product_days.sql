{{ config(
    key='day',
    unique_key=['day', 'product_id'],
    dirty_keys="
        {{ changed('fct_product_interactions_daily', 'day', 'date') }}
        union all
        {{ changed('fct_order_lines', 'ordered_on', 'date') }}
        union all
        {{ changed('fct_refund_lines', 'refunded_on', 'date') }}
    ",
    emits={'month': 'month'},
    indexes=[{'columns': ['day']}, {'columns': ['month']}],
    cluster_by='day',
) }}

with

interactions as (

    select * from {{ ref('fct_product_interactions_daily') }}
    where true
        {{ and_dirty('day') }}

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where true
        {{ and_dirty('ordered_on') }}

),

refund_lines as (

    select * from {{ ref('fct_refund_lines') }}
    where true
        {{ and_dirty('refunded_on') }}

),

happenings as (

    select
        day,
        product_id,
        clicks,
        views,
        adds,
        removals,
        null as order_id,
        0 as units,
        null as refund_id,
        0 as returned_units

    from interactions

    union all

    select
        ordered_on as day,
        product_id,
        0 as clicks,
        0 as views,
        0 as adds,
        0 as removals,
        order_id,
        quantity as units,
        null as refund_id,
        0 as returned_units

    from order_lines

    union all

    select
        refunded_on as day,
        product_id,
        0 as clicks,
        0 as views,
        0 as adds,
        0 as removals,
        null as order_id,
        0 as units,
        refund_id,
        units as returned_units

    from refund_lines

),

final as (

    select
        day,
        {{ month_of('day') }} as month,
        product_id,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(views) as bigint) as views,
        cast(sum(adds) as bigint) as adds,
        cast(sum(removals) as bigint) as removals,
        -- An order, or a refund, is of one day, so that days add up.
        count(distinct order_id) as orders,
        cast(sum(units) as bigint) as units,
        count(distinct refund_id) as refunds,
        cast(sum(returned_units) as bigint) as returned_units

    from happenings
    group by day, product_id

)

select * from final
