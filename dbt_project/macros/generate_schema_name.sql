{# A layer's schema is its name, without the target's in front: readers are granted `reports`, not `x_reports`. With
   the var schema_prefix a second set of tables stands beside the first, at the same load watermark. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set prefix = '' if node.name == 'stg_load_watermark' else var('schema_prefix') -%}
    {{ prefix }}{{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
