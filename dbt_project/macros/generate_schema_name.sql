{# A layer's schema is its name, without the target's in front: readers are granted `reports`, not `x_reports`. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
