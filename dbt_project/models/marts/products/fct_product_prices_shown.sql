-- As fct_product_interactions_daily: the last of what was known and what is new.
{{ config(
    key='day',
    unique_key=['day', 'product_id', 'currency'],
    dirty_keys="
        select occurred_on from {{ ref('fct_product_interactions') }}
        where price_minor is not null
            and batch_id in ({{ changed('fct_product_interactions', 'batch_id', 'bigint') }})
    ",
    emits={'day': 'day'},
    indexes=[{'columns': ['day']}],
    cluster_by='day',
) }}

{% set columns -%}
    day, product_id, currency, price_minor, lowest_price_minor, highest_price_minor, shown_at, interaction_id
{%- endset %}

with

shown as (

    select
        occurred_on as day,
        product_id,
        currency,
        price_minor,
        price_minor as lowest_price_minor,
        price_minor as highest_price_minor,
        occurred_at as shown_at,
        interaction_id

    from {{ ref('fct_product_interactions') }}
    where price_minor is not null
        {{ and_new('fct_product_interactions') }}
    {{ in_increments("union all select " ~ columns ~ " from " ~ this ~ " where day in (select key from dirty_keys)") }}

),

ranked as (

    select
        day,
        product_id,
        currency,
        price_minor,
        min(lowest_price_minor) over (partition by day, product_id, currency) as lowest_price_minor,
        max(highest_price_minor) over (partition by day, product_id, currency) as highest_price_minor,
        shown_at,
        interaction_id,
        row_number() over (
            partition by day, product_id, currency order by shown_at desc, interaction_id desc
        ) as recency

    from shown

),

final as (

    select {{ columns }}
    from ranked
    where recency = 1

)

select * from final
