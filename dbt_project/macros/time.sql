{# The day in UTC, whatever the session's time zone is. #}
{% macro utc_day(moment) -%}
    cast({{ moment }} at time zone 'UTC' as date)
{%- endmacro %}


{# The hour in UTC, without a time zone. #}
{% macro utc_hour(moment) -%}
    date_trunc('hour', {{ moment }} at time zone 'UTC')
{%- endmacro %}
