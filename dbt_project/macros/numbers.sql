{# Decimals and quotients without floating point, so that a tie is rounded alike everywhere: half away from zero. #}

{# The type of a decimal that a sender wrote. #}
{% macro exact() -%}
    {{ adapter.dispatch('exact')() }}
{%- endmacro %}

{% macro default__exact() -%}
    numeric
{%- endmacro %}

{# Without a bound there: all digits of a double from 0.1 on, 20 before the point. #}
{% macro duckdb__exact() -%}
    decimal(38, 18)
{%- endmacro %}


{# Such a decimal as text, which `exact` reads again. #}
{% macro exact_text(value) -%}
    {{ adapter.dispatch('exact_text')(value) }}
{%- endmacro %}

{% macro default__exact_text(value) -%}
    cast({{ value }} as {{ dbt.type_string() }})
{%- endmacro %}

{% macro duckdb__exact_text(value) -%}
    rtrim(rtrim(cast(cast({{ value }} as {{ exact() }}) as varchar), '0'), '.')
{%- endmacro %}


{# A quotient to be rounded once, by whoever asks. The divisor is never zero: `nullif(…, 0)` where it can be. #}
{% macro quotient(dividend, divisor) -%}
    {{ adapter.dispatch('quotient')(dividend, divisor) }}
{%- endmacro %}

{% macro default__quotient(dividend, divisor) -%}
    (cast({{ dividend }} as numeric) / ({{ divisor }}))
{%- endmacro %}

{# DuckDB divides decimals as doubles. Whole numbers it divides exactly: operands to three decimals, up to 10^23. Cut off,
   not rounded, at twelve decimals: what is below a tie stays below it. #}
{% macro duckdb__quotient(dividend, divisor) -%}
    (cast(
        cast(cast({{ dividend }} as decimal(38, 3)) * 1000 as hugeint) * 1000000000000
        // cast(cast({{ divisor }} as decimal(38, 3)) * 1000 as hugeint)
        as decimal(38, 0)
    ) * 0.000000000001)
{%- endmacro %}
