-- The latest of what was known and what is new: a customer's whole history is never read again.
{{ config(
    key='user_id',
    unique_key=['user_id', 'attribute'],
    dirty_keys="
        select user_id from {{ ref('stg_events') }}
        where batch_id in ({{ changed('stg_events', 'batch_id', 'bigint') }})
        union all
        select user_id from {{ ref('stg_identifies') }}
        where batch_id in ({{ changed('stg_identifies', 'batch_id', 'bigint') }})
    ",
    emits={'user_id': 'user_id'},
    indexes=[{'columns': ['user_id']}],
    cluster_by='seen_at',
) }}

with

known as (

    select
        user_id,
        'seen' as attribute,
        '' as value,
        occurred_at as seen_at,
        message_id,
        occurred_at as first_seen_at

    from {{ ref('stg_events') }}
    where user_id is not null
        {{ and_new('stg_events') }}
    {% for attribute in ['customer_name', 'email', 'country', 'city'] %}
    union all

    select
        user_id,
        '{{ attribute }}' as attribute,
        {{ attribute }} as value,
        occurred_at as seen_at,
        message_id,
        occurred_at as first_seen_at

    from {{ ref('stg_identifies') }}
    where {{ attribute }} is not null
        {{ and_new('stg_identifies') }}
    {% endfor %}
    {{ in_increments("union all select * from " ~ this ~ " where user_id in (select key from dirty_keys)") }}

),

ranked as (

    select
        user_id,
        attribute,
        value,
        seen_at,
        message_id,
        min(first_seen_at) over (partition by user_id, attribute) as first_seen_at,
        row_number() over (partition by user_id, attribute order by seen_at desc, message_id desc) as recency

    from known

),

final as (

    select
        user_id,
        attribute,
        value,
        seen_at,
        message_id,
        first_seen_at

    from ranked
    where recency = 1

)

select * from final
