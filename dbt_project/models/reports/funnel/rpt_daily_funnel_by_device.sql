{{ config(
    key='day',
    unique_key=['day', 'device', 'step_number'],
    dirty_keys="{{ changed('fct_sessions_hourly', 'day', 'date') }}",
) }}

with

sessions as (

    select * from {{ ref('fct_sessions_hourly') }}
    where true
        {{ and_dirty('day') }}

),

{{ funnel('device') }}

select * from final
