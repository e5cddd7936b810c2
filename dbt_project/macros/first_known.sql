{# An aggregate: the first value that isn't null in the given order. #}
{% macro first_known(column, order_by) -%}
    {{ adapter.dispatch('first_known')(column, order_by) }}
{%- endmacro %}

{% macro duckdb__first_known(column, order_by) -%}
    first({{ column }} order by {{ order_by }}) filter (where {{ column }} is not null)
{%- endmacro %}

{% macro postgres__first_known(column, order_by) -%}
    (array_agg({{ column }} order by {{ order_by }}) filter (where {{ column }} is not null))[1]
{%- endmacro %}
