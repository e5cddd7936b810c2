{# Money is an integer of minor units beside its currency, so sums are exact. Exponents are ISO 4217's. #}

{# One of three values, by how many decimals the currency has. #}
{% macro by_decimals(currency, zero, three, two) -%}
    case
        when {{ currency }} in (
            'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV',
            'XAF', 'XOF', 'XPF'
        ) then {{ zero }}
        when {{ currency }} in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then {{ three }}
        else {{ two }}
    end
{%- endmacro %}


{% macro minor_units(amount, currency) -%}
    cast(round(({{ amount }}) * {{ by_decimals(currency, 1, 1000, 100) }}) as bigint)
{%- endmacro %}


{# Three decimals: the most a currency has. #}
{% macro major_units(amount_minor, currency) -%}
    {{ adapter.dispatch('major_units')(amount_minor, currency) }}
{%- endmacro %}

{% macro default__major_units(amount_minor, currency) -%}
    cast(cast({{ amount_minor }} as numeric) / {{ by_decimals(currency, 1, 1000, 100) }} as numeric(22, 3))
{%- endmacro %}

{% macro duckdb__major_units(amount_minor, currency) -%}
    cast(cast({{ amount_minor }} as decimal(38, 12)) * {{ by_decimals(currency, '1.000', '0.001', '0.01') }} as numeric(22, 3))
{%- endmacro %}


{% macro currency_code(currency) -%}
    upper(coalesce({{ currency }}, '{{ var("default_currency") }}'))
{%- endmacro %}
