-- A month's Mondays at nine are four or five rows of hours: whoever asks for all Mondays adds up months.
{{ config(
    key='slot',
    unique_key=['slot', 'currency'],
    dirty_keys="{{ changed('fct_sales_hourly', 'slot') }}",
    emits={'currency': 'currency'},
    indexes=[{'columns': ['slot']}, {'columns': ['currency']}],
) }}

with

hours as (

    select * from {{ ref('fct_sales_hourly') }}
    where true
        {{ and_dirty('slot') }}

),

final as (

    select
        slot,
        min({{ month_of('day') }}) as month,
        min({{ weekday('day') }}) as weekday,
        cast(min(extract(hour from hour)) as integer) as hour,
        currency,
        cast(sum(orders) as bigint) as orders,
        cast(sum(gross_revenue_minor - discount_minor - refund_minor) as bigint) as net_revenue_minor

    from hours
    group by slot, currency

)

select * from final
