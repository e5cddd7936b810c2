{# All access to JSON, so that another warehouse needs these and nothing else. Paths are written 'device.type'. #}

{% macro json_text(column, path) -%}
    {{ adapter.dispatch('json_text')(column, path) }}
{%- endmacro %}

{% macro duckdb__json_text(column, path) -%}
    json_extract_string({{ column }}, '$.{{ path }}')
{%- endmacro %}

{% macro postgres__json_text(column, path) -%}
    ({{ column }} #>> '{{ '{' ~ path | replace('.', ',') ~ '}' }}')
{%- endmacro %}


{# Exact: JSON numbers are decimal, and stay so. #}
{% macro json_numeric(column, path) -%}
    cast({{ json_text(column, path) }} as {{ exact() }})
{%- endmacro %}


{# A lateral join to the elements of an array, as `alias.item` and `alias.item_number` from 1. None if it isn't one. #}
{% macro json_items(column, path, alias) -%}
    {{ adapter.dispatch('json_items')(column, path, alias) }}
{%- endmacro %}

{% macro postgres__json_items(column, path, alias) -%}
    {%- set array = "(" ~ column ~ " #> '{" ~ path | replace('.', ',') ~ "}')" -%}
    cross join lateral jsonb_array_elements(
        case when jsonb_typeof({{ array }}) = 'array' then {{ array }} else '[]' end
    ) with ordinality as {{ alias }} (item, item_number)
{%- endmacro %}

{% macro duckdb__json_items(column, path, alias) -%}
    cross join lateral unnest(json_extract({{ column }}, '$.{{ path }}[*]')) with ordinality as {{ alias }} (item, item_number)
{%- endmacro %}
