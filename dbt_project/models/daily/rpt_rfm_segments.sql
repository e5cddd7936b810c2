with

customers as (

    select * from {{ ref('rpt_rfm') }}

),

segments as (

    select
        segment,
        currency,
        count(*) as customers,
        sum(monetary) as net_revenue

    from customers
    group by segment, currency

),

final as (

    select
        segment,
        currency,
        customers,
        cast(net_revenue as numeric(22, 3)) as net_revenue,
        {{ ratio('customers', 'sum(customers) over (partition by currency)') }} as share_of_customers,
        {{ ratio('net_revenue', 'sum(net_revenue) over (partition by currency)') }} as share_of_revenue

    from segments

)

select * from final
