{{ config(
    key='day',
    unique_key=['day', 'step_number'],
    dirty_keys="{{ changed('fct_sessions_hourly', 'day', 'date') }}",
) }}

with

sessions as (

    select * from {{ ref('fct_sessions_hourly') }}
    where true
        {{ and_dirty('day') }}

),

steps (step_number, step) as (

    values
        (1, 'product_viewed'),
        (2, 'product_added'),
        (3, 'checkout_started'),
        (4, 'order_completed')

),

counted as (

    select
        sessions.day,
        steps.step_number,
        steps.step,
        cast(
            coalesce(sum(sessions.sessions) filter (where sessions.funnel_step >= steps.step_number), 0) as bigint
        ) as sessions

    from sessions
    cross join steps
    group by sessions.day, steps.step_number, steps.step

),

compared as (

    select
        *,
        lag(sessions) over (partition by day order by step_number) as previous_sessions,
        first_value(sessions) over (partition by day order by step_number) as first_sessions

    from counted

),

final as (

    select
        day,
        step_number,
        step,
        sessions,
        {{ ratio('sessions', 'previous_sessions') }} as share_of_previous,
        {{ ratio('sessions', 'first_sessions') }} as share_of_first

    from compared

)

select * from final
