-- What a day did to a product's stock; the level is put together from days.
{{ config(
    key='day',
    unique_key=['day', 'product_id', 'fulfilment_centre'],
    dirty_keys="
        {{ changed('fct_order_lines', 'ordered_on', 'date') }}
        union all
        {{ changed('stg_product_updates', 'updated_on', 'date') }}
    ",
    emits={'stock_day': "cast(day as " ~ dbt.type_string() ~ ") || ' ' || stock_id"},
    indexes=[{'columns': ['day']}, {'columns': ['stock_id', 'day']}],
    cluster_by='day',
) }}

with

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where true
        {{ and_dirty('ordered_on') }}

),

updates as (

    select * from {{ ref('stg_product_updates') }}
    where (on_hand is not null or delivered is not null)
        {{ and_dirty('updated_on') }}

),

stated as (

    select
        *,
        row_number() over (
            partition by updated_on, product_id, fulfilment_centre
            order by case when on_hand is null then 1 else 0 end, occurred_at desc, message_id desc
        ) as recency,
        sum(delivered) over (partition by updated_on, product_id, fulfilment_centre) as delivered_that_day

    from updates

),

movements as (

    select
        updated_on as day,
        product_id,
        fulfilment_centre,
        on_hand as stated_on_hand,
        delivered_that_day as delivered,
        0 as sold,
        0 as sold_since_stated

    from stated
    where recency = 1

    union all

    select
        order_lines.ordered_on as day,
        order_lines.product_id,
        order_lines.fulfilment_centre,
        null as stated_on_hand,
        null as delivered,
        order_lines.quantity as sold,
        case
            when stated.on_hand is null or order_lines.ordered_at > stated.occurred_at then order_lines.quantity
            else 0
        end as sold_since_stated

    from order_lines
    left join stated
        on order_lines.ordered_on = stated.updated_on
        and order_lines.product_id = stated.product_id
        and order_lines.fulfilment_centre = stated.fulfilment_centre
        and stated.recency = 1

),

final as (

    select
        day,
        product_id,
        fulfilment_centre,
        {{ dbt.hash("product_id || '|' || fulfilment_centre") }} as stock_id,
        max(stated_on_hand) as stated_on_hand,
        cast(coalesce(sum(delivered), 0) as bigint) as delivered,
        cast(sum(sold) as bigint) as sold,
        cast(sum(sold_since_stated) as bigint) as sold_since_stated

    from movements
    group by day, product_id, fulfilment_centre

)

select * from final
