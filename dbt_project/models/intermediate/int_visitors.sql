-- The latest of what was known and what is new: a visitor's whole history is never read again.
{{ config(
    key='anonymous_id',
    unique_key='anonymous_id',
    dirty_keys="
        select anonymous_id from {{ ref('stg_events') }}
        where user_id is not null and batch_id in ({{ changed('stg_events', 'batch_id', 'bigint') }})
    ",
    emits={
        'anonymous_id': {'key': 'anonymous_id', 'of': ['user_id']},
        'person_id': {'key': customer_person('user_id'), 'of': ['anonymous_id', 'user_id']},
    },
    indexes=[{'columns': ['anonymous_id'], 'unique': true}],
    cluster_by='named_at',
) }}

with

named as (

    select
        anonymous_id,
        user_id,
        occurred_at as named_at,
        message_id

    from {{ ref('stg_events') }}
    where anonymous_id is not null and user_id is not null
        {{ and_new('stg_events') }}

    {{ in_increments("union all select * from " ~ this ~ " where anonymous_id in (select key from dirty_keys)") }}

),

ranked as (

    select
        *,
        row_number() over (partition by anonymous_id order by named_at desc, message_id desc) as recency

    from named

),

final as (

    select
        anonymous_id,
        user_id,
        named_at,
        message_id

    from ranked
    where recency = 1

)

select * from final
