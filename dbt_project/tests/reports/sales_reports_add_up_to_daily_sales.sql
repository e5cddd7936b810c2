-- However sales are told apart, a day's, a week's or a month's add up to the same.
{% set measures = ['orders', 'units', 'gross_revenue', 'discounts', 'refunds', 'net_revenue', 'shipping', 'tax'] %}
{% set of_lines = ['units', 'gross_revenue', 'discounts', 'refunds', 'net_revenue'] %}
{% set reports = {
    'rpt_hourly_sales': ('day', 'day', measures),
    'rpt_daily_sales_by_country': ('day', 'day', measures),
    'rpt_daily_sales_by_city': ('day', 'day', measures),
    'rpt_daily_sales_by_channel': ('day', 'day', measures),
    'rpt_daily_promotions': ('day', 'day', measures),
    'rpt_daily_sales_by_category': ('day', 'day', of_lines),
    'rpt_daily_sales_by_product': ('day', 'day', of_lines),
    'rpt_weekly_sales': ('week', week_of('day'), measures),
    'rpt_monthly_sales': ('month', month_of('day'), measures),
} %}
{% for report, (period, of_day, columns) in reports.items() %}
select
    '{{ report }}' as report,
    period,
    currency
from (
    select
        {{ period }} as period,
        currency
        {%- for column in columns %},
        {{ column }}
        {%- endfor %}
    from {{ ref(report) }}
    union all
    select
        {{ of_day }} as period,
        currency
        {%- for column in columns %},
        -{{ column }}
        {%- endfor %}
    from {{ ref('rpt_daily_sales') }}
) as both_ways
group by period, currency
having {% for column in columns %}sum({{ column }}) != 0{{ ' or ' if not loop.last }}{% endfor %}
{{ 'union all' if not loop.last }}
{% endfor %}
