{{ config(
    key='order_id',
    unique_key='refund_id',
    dirty_keys="{{ changed('int_refunds', 'order_id') }}",
    emits={
        'order_id': 'order_id',
        'refunded_on': 'refunded_on',
        'refunded_hour': 'refunded_hour',
        'user_id': 'user_id',
    },
    indexes=[
        {'columns': ['order_id']},
        {'columns': ['refunded_on']},
        {'columns': ['refunded_hour']},
        {'columns': ['user_id']},
    ],
    cluster_by='refunded_at',
) }}

with

refunds as (

    select * from {{ ref('int_refunds') }}
    where true
        {{ and_dirty('order_id') }}

),

final as (

    select
        message_id as refund_id,
        order_id,
        order_known,
        user_id,
        refunded_at,
        {{ utc_day('refunded_at') }} as refunded_on,
        {{ utc_hour('refunded_at') }} as refunded_hour,
        country,
        city,
        channel,
        coupon,
        currency,
        refund_basis,
        refund_minor

    from refunds

)

select * from final
