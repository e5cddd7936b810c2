-- A day is compared with two before it, so one that changes changes the two after it as well. 364 days before is the
-- same weekday.
{{ config(
    key='day',
    unique_key=['day', 'currency'],
    dirty_keys="
        {% for days in [0, 7, 364] -%}
        select {{ add_days('changed.day', days) }}
        from ({{ changed('fct_sales_daily', 'day', 'date') }}) as changed (day)
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ",
) }}

{{ compared_sales('day', [
    {
        'name': 'previous_week', 'growth': 'growth_week',
        'back': add_days('periods.day', -7), 'forth': add_days('day', 7),
    },
    {
        'name': 'previous_year', 'growth': 'growth_year',
        'back': add_days('periods.day', -364), 'forth': add_days('day', 364),
    },
]) }}
