{{ config(
    key='month',
    unique_key=['month', 'currency'],
    dirty_keys="
        {% for months in [0, 1, 12] -%}
        select {{ add_months('changed.month', months) }}
        from ({{ changed('fct_sales_daily', 'month', 'date') }}) as changed (month)
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ",
    emits={'currency': 'currency'},
    indexes=[{'columns': ['currency']}],
) }}

{{ compared_sales('month', [
    {
        'name': 'previous', 'growth': 'growth',
        'back': add_months('periods.month', -1), 'forth': add_months('month', 1),
    },
    {
        'name': 'previous_year', 'growth': 'growth_year',
        'back': add_months('periods.month', -12), 'forth': add_months('month', 12),
    },
]) }}
