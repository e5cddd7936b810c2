{# Four decimals; null where there is nothing to be a share of. #}
{% macro ratio(part, whole) -%}
    cast(cast({{ part }} as numeric) / nullif({{ whole }}, 0) as numeric(9, 4))
{%- endmacro %}
