{# Four decimals; null where there is nothing to be a share of. Bounded, for a cent can be followed by a million. #}
{% macro ratio(part, whole) -%}
    cast(
        case
            when ({{ part }}) is not null and ({{ whole }}) != 0
                then least(greatest({{ quotient(part, 'nullif(' ~ whole ~ ', 0)') }}, -99999.9999), 99999.9999)
        end as numeric(9, 4)
    )
{%- endmacro %}


{# What came on top of what was before; null where that was nothing, or less. #}
{% macro growth(now, before) -%}
    {{ ratio(now ~ " - " ~ before, "case when " ~ before ~ " > 0 then " ~ before ~ " end") }}
{%- endmacro %}
