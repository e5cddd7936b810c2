{# Money is an integer of minor units beside its currency, so sums are exact. Exponents are ISO 4217's. #}

{% macro minor_per_major(currency) -%}
    case
        when {{ currency }} in (
            'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV',
            'XAF', 'XOF', 'XPF'
        ) then 1
        when {{ currency }} in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 1000
        else 100
    end
{%- endmacro %}


{% macro minor_units(amount, currency) -%}
    cast(round(({{ amount }}) * {{ minor_per_major(currency) }}) as bigint)
{%- endmacro %}


{# Three decimals: the most a currency has. #}
{% macro major_units(amount_minor, currency) -%}
    cast(cast({{ amount_minor }} as numeric) / {{ minor_per_major(currency) }} as numeric(22, 3))
{%- endmacro %}


{% macro currency_code(currency) -%}
    upper(coalesce({{ currency }}, '{{ var("default_currency") }}'))
{%- endmacro %}
