-- Events never change, so rows only come. The primary key begins with the batch, so that they come at its end; it is the
-- index that readers of new batches use, too. That an id is there once, whatever its batch, a test says.
{{ config(
    key='batch_id',
    unique_key='interaction_id',
    append=true,
    dirty_keys="{{ changed('stg_product_interactions', 'batch_id', 'bigint') }}",
    emits={'batch_id': 'batch_id'},
) }}

with

interactions as (

    select
        *,
        {{ currency_code('stated_currency') }} as currency

    from {{ ref('stg_product_interactions') }}
    where true
        {{ and_dirty('batch_id') }}

),

final as (

    select
        message_id as interaction_id,
        interaction,
        occurred_at,
        {{ utc_day('occurred_at') }} as occurred_on,
        {{ utc_hour('occurred_at') }} as occurred_hour,
        product_id,
        user_id,
        anonymous_id,
        quantity,
        currency,
        {{ minor_units('price', 'currency') }} as price_minor,
        batch_id

    from interactions

)

select * from final
