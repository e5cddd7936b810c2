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

{{ funnel() }}

select * from final
