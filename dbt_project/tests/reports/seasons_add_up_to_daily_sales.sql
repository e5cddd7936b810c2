with

added as (

    select
        currency,
        sum(orders) as orders,
        sum(net_revenue) as net_revenue
    from {{ ref('rpt_daily_sales') }}
    group by currency

)
{% for report in ['rpt_seasonality_weekday_hour', 'rpt_seasonality_month'] %}
select
    '{{ report }}' as report,
    seasons.currency,
    seasons.orders,
    seasons.net_revenue
from (
    select
        currency,
        sum(orders) as orders,
        sum(net_revenue) as net_revenue
    from {{ ref(report) }}
    group by currency
) as seasons
full join added on seasons.currency = added.currency
where seasons.orders is distinct from added.orders or seasons.net_revenue is distinct from added.net_revenue
{{ 'union all' if not loop.last }}
{% endfor %}
