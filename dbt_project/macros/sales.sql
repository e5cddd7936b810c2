{# The measures of every report of sales, from rows of minor units grouped by currency and what else it likes. #}
{% macro sales_measures() -%}
    cast(sum(orders) as bigint) as orders,
        cast(sum(units) as bigint) as units,
        {{ major_units('sum(gross_revenue_minor)', 'currency') }} as gross_revenue,
        {{ major_units('sum(discount_minor)', 'currency') }} as discounts,
        {{ major_units('sum(refund_minor)', 'currency') }} as refunds,
        {{ major_units('sum(gross_revenue_minor) - sum(discount_minor) - sum(refund_minor)', 'currency') }} as net_revenue,
        {{ major_units('sum(shipping_minor)', 'currency') }} as shipping,
        {{ major_units('sum(tax_minor)', 'currency') }} as tax,
        -- Before refunds: those of a day belong to orders of other days.
        {{ major_units(quotient('sum(gross_revenue_minor) - sum(discount_minor)', 'nullif(sum(orders), 0)'), 'currency') }}
            as average_order_value
{%- endmacro %}


{# The names of these measures. #}
{% macro sales_measure_names() -%}
    {{ return([
        'orders', 'units', 'gross_revenue', 'discounts', 'refunds', 'net_revenue', 'shipping', 'tax', 'average_order_value'
    ]) }}
{%- endmacro %}


{# A whole amount shared out by weight, in whole minor units that add up to it: each line takes what the rounded
   running share has grown by. Without any weight the first line takes all. #}
{% macro share_out(amount, weight, of, order_by) -%}
    {%- set all = "sum(" ~ weight ~ ") over (partition by " ~ of ~ ")" -%}
    {%- set upto = "sum(" ~ weight ~ ") over (partition by " ~ of ~ " order by " ~ order_by ~ ")" -%}
    cast(case
        when {{ all }} > 0
            then round({{ quotient(amount ~ ' * ' ~ upto, 'nullif(' ~ all ~ ', 0)') }})
                - round({{ quotient(amount ~ ' * (' ~ upto ~ ' - ' ~ weight ~ ')', 'nullif(' ~ all ~ ', 0)') }})
        when row_number() over (partition by {{ of }} order by {{ order_by }}) = 1 then {{ amount }}
        else 0
    end as bigint)
{%- endmacro %}


{# Sales by day and something that lines have, orders counted once a row: the body of a report's query. An order's
   shipping and tax are of no line. #}
{% macro daily_sales_of_lines(dimension) -%}
with

order_lines as (

    select * from {{ ref('fct_order_lines') }}
    where true
        {{ and_dirty('ordered_on') }}

),

refund_lines as (

    select * from {{ ref('fct_refund_lines') }}
    where true
        {{ and_dirty('refunded_on') }}

),

movements as (

    select
        ordered_on as day,
        {{ dimension }},
        currency,
        order_id,
        quantity as units,
        gross_minor as gross_revenue_minor,
        discount_minor,
        0 as returned_units,
        0 as refund_minor

    from order_lines

    union all

    select
        refunded_on as day,
        {{ dimension }},
        currency,
        null as order_id,
        0 as units,
        0 as gross_revenue_minor,
        0 as discount_minor,
        units as returned_units,
        refund_minor

    from refund_lines

),

final as (

    select
        day,
        {{ dimension }},
        currency,
        count(distinct order_id) as orders,
        cast(sum(units) as bigint) as units,
        {{ major_units('sum(gross_revenue_minor)', 'currency') }} as gross_revenue,
        {{ major_units('sum(discount_minor)', 'currency') }} as discounts,
        {{ major_units('sum(refund_minor)', 'currency') }} as refunds,
        {{ major_units('sum(gross_revenue_minor) - sum(discount_minor) - sum(refund_minor)', 'currency') }} as net_revenue,
        cast(sum(returned_units) as bigint) as returned_units

    from movements
    group by day, {{ dimension }}, currency

)

select * from final
{%- endmacro %}


{# Sales a period, each compared with earlier ones: the body of a report's query. `period` is a column of
   fct_sales_daily; a comparison has the names of its two columns, and how to come from a period to the earlier one
   (`back`) and from that to the period (`forth`). #}
{% macro compared_sales(period, comparisons) -%}
with

days as (

    select * from {{ ref('fct_sales_daily') }}
    where true
        {% set asked -%}
        and (
            {{ period }} in (select key from dirty_keys)
            {%- for one in comparisons %} or {{ one.forth }} in (select key from dirty_keys) {%- endfor -%}
        )
        {%- endset -%}
        {{ in_increments(asked) }}

),

periods as (

    select
        {{ period }},
        currency,
        count(*) as days,
        {{ sales_measures() }}

    from days
    group by {{ period }}, currency

),

final as (

    select
        periods.*
        {%- for one in comparisons %},
        {{ one.name }}.net_revenue as net_revenue_{{ one.name }},
        {{ growth('periods.net_revenue', one.name ~ '.net_revenue') }} as {{ one.growth }}
        {%- endfor %}

    from periods
    {%- for one in comparisons %}
    left join periods as {{ one.name }}
        on periods.currency = {{ one.name }}.currency and {{ one.back }} = {{ one.name }}.{{ period }}
    {%- endfor %}
    where true
        {{ and_dirty('periods.' ~ period) }}

)

select
    {{ period }},
    currency,
    {%- if period != 'day' %}
    days,
    {%- endif %}
    {{ sales_measure_names() | join(', ') }}
    {%- for one in comparisons %},
    net_revenue_{{ one.name }},
    {{ one.growth }}
    {%- endfor %}
from final
{%- endmacro %}
