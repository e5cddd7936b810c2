-- The year before is 52 weeks before.
{{ config(
    key='week',
    unique_key=['week', 'currency'],
    dirty_keys="
        {% for days in [0, 7, 364] -%}
        select {{ add_days('changed.week', days) }}
        from ({{ changed('fct_sales_daily', 'week', 'date') }}) as changed (week)
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ",
) }}

{{ compared_sales('week', [
    {
        'name': 'previous', 'growth': 'growth',
        'back': add_days('periods.week', -7), 'forth': add_days('week', 7),
    },
    {
        'name': 'previous_year', 'growth': 'growth_year',
        'back': add_days('periods.week', -364), 'forth': add_days('week', 364),
    },
]) }}
