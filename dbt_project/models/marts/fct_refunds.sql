with

refunds as (

    select * from {{ ref('int_refunds') }}

),

final as (

    select
        message_id as refund_id,
        order_id,
        order_known,
        user_id,
        refunded_at,
        {{ utc_day('refunded_at') }} as refunded_on,
        currency,
        refund_basis,
        refund_minor

    from refunds

)

select * from final
