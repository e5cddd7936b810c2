-- A late session costs its hour here, not its day.
{{ config(
    key='hour',
    unique_key=['hour', 'channel', 'device', 'country', 'funnel_step', 'bounced'],
    dirty_keys="{{ changed('fct_sessions', 'started_hour', 'timestamp') }}",
    emits={'day': 'day'},
    indexes=[{'columns': ['day']}],
    cluster_by='hour',
) }}

with

sessions as (

    select * from {{ ref('fct_sessions') }}
    where true
        {{ and_dirty('started_hour') }}

),

final as (

    select
        started_hour as hour,
        channel,
        device,
        coalesce(country, 'unknown') as country,
        funnel_step,
        bounced,
        started_on as day,
        count(*) as sessions

    from sessions
    group by started_hour, channel, device, coalesce(country, 'unknown'), funnel_step, bounced, started_on

)

select * from final
