{# What a person is called: the customer they turned out to be, else the visitor. The models that look persons up agree by this. #}
{% macro customer_person(user_id) -%}
    'customer ' || {{ user_id }}
{%- endmacro %}


{% macro visitor_person(anonymous_id) -%}
    'visitor ' || {{ anonymous_id }}
{%- endmacro %}
