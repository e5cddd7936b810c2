{# Regular expressions. #}

{# Whether a part of the text matches, in upper or lower case. #}
{% macro matches(value, pattern) -%}
    {{ adapter.dispatch('matches')(value, pattern) }}
{%- endmacro %}

{% macro postgres__matches(value, pattern) -%}
    {{ value }} ~* '{{ pattern }}'
{%- endmacro %}

{% macro duckdb__matches(value, pattern) -%}
    regexp_matches({{ value }}, '{{ pattern }}', 'i')
{%- endmacro %}


{# What the pattern's group caught, which is never empty; null where it doesn't match. #}
{% macro captured(value, pattern) -%}
    {{ adapter.dispatch('captured')(value, pattern) }}
{%- endmacro %}

{% macro postgres__captured(value, pattern) -%}
    substring({{ value }} from '{{ pattern }}')
{%- endmacro %}

{% macro duckdb__captured(value, pattern) -%}
    nullif(regexp_extract({{ value }}, '{{ pattern }}', 1), '')
{%- endmacro %}
