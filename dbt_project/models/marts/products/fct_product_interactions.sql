-- Events never change, so rows only come.
{{ config(
    key='batch_id',
    unique_key='interaction_id',
    append=true,
    dirty_keys="{{ changed('stg_product_interactions', 'batch_id', 'bigint') }}",
    emits={'occurred_hour': 'occurred_hour', 'priced_on': 'case when price_minor is not null then occurred_on end'},
    indexes=[{'columns': ['occurred_hour']}, {'columns': ['occurred_on']}],
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
