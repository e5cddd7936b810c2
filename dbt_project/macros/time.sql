{# A moment as UTC's clock shows it, whatever the session's time zone is. #}
{% macro utc(moment) -%}
    {{ adapter.dispatch('utc')(moment) }}
{%- endmacro %}

{% macro default__utc(moment) -%}
    {{ moment }} at time zone 'UTC'
{%- endmacro %}


{# The day in UTC. #}
{% macro utc_day(moment) -%}
    cast({{ utc(moment) }} as date)
{%- endmacro %}


{# The hour in UTC, without a time zone. #}
{% macro utc_hour(moment) -%}
    date_trunc('hour', {{ utc(moment) }})
{%- endmacro %}


{# Microseconds since 1970. #}
{% macro microseconds(moment) -%}
    {{ adapter.dispatch('microseconds')(moment) }}
{%- endmacro %}

{% macro postgres__microseconds(moment) -%}
    cast(extract(epoch from {{ moment }}) * 1000000 as bigint)
{%- endmacro %}

{% macro duckdb__microseconds(moment) -%}
    epoch_us({{ moment }})
{%- endmacro %}


{# A text that sorts as the moment does, of the years 1 to 9999: microseconds since the first, all of one length. #}
{% macro sortable(moment) -%}
    lpad(cast({{ microseconds(moment) }} + 62135596800000000 as {{ dbt.type_string() }}), 18, '0')
{%- endmacro %}


{# Whole seconds from one moment to another, half a second rounded up. #}
{% macro seconds_between(first, last) -%}
    {{ adapter.dispatch('seconds_between')(first, last) }}
{%- endmacro %}

{% macro postgres__seconds_between(first, last) -%}
    cast(extract(epoch from {{ last }} - {{ first }}) as bigint)
{%- endmacro %}

{% macro duckdb__seconds_between(first, last) -%}
    ((epoch_us({{ last }}) - epoch_us({{ first }}) + 500000) // 1000000)
{%- endmacro %}
