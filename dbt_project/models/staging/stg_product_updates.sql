{{ config(
    emits={'product_id': 'product_id', 'updated_on': 'updated_on', 'batch_id': 'batch_id'},
    indexes=[{'columns': ['batch_id']}, {'columns': ['product_id']}, {'columns': ['updated_on']}],
) }}

with

events as (

    select * from {{ ref('base_events') }}

),

final as (

    select
        message_id,
        occurred_at,
        {{ utc_day('occurred_at') }} as updated_on,
        {{ json_text('properties', 'product_id') }} as product_id,
        {{ json_text('properties', 'sku') }} as sku,
        {{ json_text('properties', 'name') }} as product_name,
        {{ json_text('properties', 'brand') }} as brand,
        {{ json_text('properties', 'category') }} as category,
        {{ json_text('properties', 'reason') }} as reason,
        upper({{ json_text('properties', 'currency') }}) as stated_currency,
        {{ json_numeric('properties', 'price') }} as price,
        {{ json_numeric('properties', 'cost') }} as cost,
        cast({{ json_numeric('properties', 'inventory_quantity') }} as bigint) as on_hand,
        case
            when {{ json_text('properties', 'reason') }} = 'restocked'
                then cast({{ json_numeric('properties', 'quantity') }} as bigint)
        end as delivered,
        coalesce({{ json_text('properties', 'fulfilment_centre') }}, 'unknown') as fulfilment_centre,
        batch_id

    from events
    where event_type = 'track' and event_name = 'Product Updated'
        {{ and_new_batches() }}

)

select * from final
