-- The latest of what was known and what is new: a product's whole history is never read again.
{{ config(
    key='product_id',
    unique_key=['product_id', 'attribute'],
    dirty_keys="
        select product_id from {{ ref('stg_product_interactions') }}
        where batch_id in ({{ changed('stg_product_interactions', 'batch_id', 'bigint') }})
        union all
        select product_id from {{ ref('stg_order_lines') }}
        where batch_id in ({{ changed('stg_order_lines', 'batch_id', 'bigint') }})
        union all
        select product_id from {{ ref('stg_product_updates') }}
        where batch_id in ({{ changed('stg_product_updates', 'batch_id', 'bigint') }})
    ",
    emits={'product_id': 'product_id'},
    indexes=[{'columns': ['product_id']}],
) }}

with

sightings as (

    select
        product_id,
        occurred_at as seen_at,
        message_id as tie_breaker,
        sku,
        product_name,
        brand,
        category,
        price,
        stated_currency

    from {{ ref('stg_product_interactions') }}
    where true
        {{ and_new('stg_product_interactions') }}

    union all

    select
        product_id,
        occurred_at as seen_at,
        message_id || '|' || line_number as tie_breaker,
        sku,
        product_name,
        brand,
        category,
        {{ major_units('unit_price_minor', 'currency') }} as price,
        currency as stated_currency

    from {{ ref('stg_order_lines') }}
    where true
        {{ and_new('stg_order_lines') }}

    union all

    select
        product_id,
        occurred_at as seen_at,
        message_id as tie_breaker,
        sku,
        product_name,
        brand,
        category,
        price,
        stated_currency

    from {{ ref('stg_product_updates') }}
    where true
        {{ and_new('stg_product_updates') }}

),

known as (

    {% set attributes = {
        'seen': "''",
        'sku': 'sku',
        'product_name': 'product_name',
        'brand': 'brand',
        'category': 'category',
        'price': exact_text('price'),
        'price_currency': "case when price is not null then coalesce(stated_currency, '') end",
        'any_currency': 'stated_currency',
    } -%}
    {%- for attribute, expression in attributes.items() %}
    select
        product_id,
        '{{ attribute }}' as attribute,
        {{ expression }} as value,
        seen_at,
        tie_breaker,
        seen_at as first_seen_at

    from sightings
    where {{ expression }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}

    {{ in_increments("union all select * from " ~ this ~ " where product_id in (select key from dirty_keys)") }}

),

-- Of values, a product has few, however often it was seen: nothing is sorted but these.
by_value as (

    select
        product_id,
        attribute,
        value,
        max(seen_at) as seen_at,
        max({{ sortable('seen_at') }} || tie_breaker) as last_sighting,
        min(first_seen_at) as first_seen_at

    from known
    group by product_id, attribute, value

),

ranked as (

    select
        product_id,
        attribute,
        value,
        seen_at,
        substr(last_sighting, length({{ sortable('seen_at') }}) + 1) as tie_breaker,
        min(first_seen_at) over (partition by product_id, attribute) as first_seen_at,
        row_number() over (partition by product_id, attribute order by last_sighting desc) as recency

    from by_value

),

final as (

    select
        product_id,
        attribute,
        value,
        seen_at,
        tie_breaker,
        first_seen_at

    from ranked
    where recency = 1

)

select * from final
