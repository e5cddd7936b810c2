{# The funnel of each day, or of each day and one more column of `fct_sessions_hourly`: how many sessions came how far.
   A CTE `sessions` with the rows of the dirty days must stand before it. #}
{% macro funnel(by=none) -%}
{%- set keys = ['day'] + ([by] if by else []) -%}
steps (step_number, step) as (

    values
        (1, 'product_viewed'),
        (2, 'product_added'),
        (3, 'checkout_started'),
        (4, 'order_completed')

),

counted as (

    select
        {% for key in keys %}sessions.{{ key }}, {% endfor %}
        steps.step_number,
        steps.step,
        cast(
            sum(case when sessions.funnel_step >= steps.step_number then sessions.sessions else 0 end) as bigint
        ) as sessions

    from sessions
    cross join steps
    group by {% for key in keys %}sessions.{{ key }}, {% endfor %} steps.step_number, steps.step

),

compared as (

    select
        *,
        lag(sessions) over (partition by {{ keys | join(', ') }} order by step_number) as previous_sessions,
        first_value(sessions) over (partition by {{ keys | join(', ') }} order by step_number) as first_sessions

    from counted

),

final as (

    select
        {% for key in keys %}{{ key }}, {% endfor %}
        step_number,
        step,
        sessions,
        {{ ratio('sessions', 'previous_sessions') }} as share_of_previous,
        {{ ratio('sessions', 'first_sessions') }} as share_of_first

    from compared

)
{%- endmacro %}
