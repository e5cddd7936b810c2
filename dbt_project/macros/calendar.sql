{# Days as dates, whatever types a warehouse makes of sums of dates. Weeks are ISO's: they begin on Monday. #}

{% macro add_days(day, days) -%}
    cast({{ dbt.dateadd('day', days, day) }} as date)
{%- endmacro %}


{% macro add_months(day, months) -%}
    cast({{ dbt.dateadd('month', months, day) }} as date)
{%- endmacro %}


{# 1 is Monday, 7 Sunday; counted from a Monday, for warehouses number weekdays as they like. #}
{% macro weekday(day) -%}
    cast(mod(mod({{ dbt.datediff("cast('1970-01-05' as date)", day, 'day') }}, 7) + 7, 7) + 1 as integer)
{%- endmacro %}


{# The Monday on or before. #}
{% macro week_of(day) -%}
    {{ add_days(day, "1 - " ~ weekday(day)) }}
{%- endmacro %}


{# The first of the month. #}
{% macro month_of(day) -%}
    cast({{ dbt.date_trunc('month', day) }} as date)
{%- endmacro %}


{# A row for each day of a span, both ends included, to be joined laterally: rows of spans become rows of days, in a time
   that grows with these alone. A join of days with spans tries each with each on Postgres. #}
{% macro days_of(first, last) -%}
    {{ adapter.dispatch('days_of')(first, last) }}
{%- endmacro %}

{% macro default__days_of(first, last) -%}
    (select {{ first }} + passed.days as day from generate_series(0, {{ last }} - {{ first }}) as passed (days))
{%- endmacro %}

{% macro duckdb__days_of(first, last) -%}
    (select {{ first }} + cast(unnest(range(0, {{ last }} - {{ first }} + 1)) as integer) as day)
{%- endmacro %}
