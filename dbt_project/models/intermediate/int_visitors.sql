{{ config(
    key='anonymous_id',
    unique_key='anonymous_id',
    dirty_keys="{{ changed('stg_events', 'anonymous_id') }}",
    emits={'anonymous_id': 'anonymous_id'},
    indexes=[{'columns': ['anonymous_id'], 'unique': true}],
) }}

with

events as (

    select * from {{ ref('stg_events') }}
    where anonymous_id is not null and user_id is not null
        {{ and_dirty('anonymous_id') }}

),

ranked as (

    select
        *,
        row_number() over (partition by anonymous_id order by occurred_at desc, message_id desc) as recency

    from events

),

final as (

    select
        anonymous_id,
        user_id,
        occurred_at as named_at

    from ranked
    where recency = 1

)

select * from final
