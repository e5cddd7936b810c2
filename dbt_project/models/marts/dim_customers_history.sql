-- From the identify calls, not from what a run happened to see: a dbt snapshot would depend on when it ran.
{%- set attributes = ['customer_name', 'email', 'country', 'city'] -%}
{{ config(
    key='user_id',
    unique_key=['user_id', 'change_number'],
    dirty_keys="
        select user_id from {{ ref('stg_identifies') }}
        where batch_id in ({{ changed('stg_identifies', 'batch_id', 'bigint') }})
    ",
    indexes=[{'columns': ['user_id']}],
) }}

with

identifies as (

    select * from {{ ref('stg_identifies') }}
    where true
        {{ and_dirty('user_id') }}

),

-- How often each attribute was told so far: it is known since it was told last, whatever later calls leave out.
counted as (

    select
        *
        {%- for attribute in attributes %},
        count({{ attribute }}) over (
            partition by user_id order by occurred_at, message_id
        ) as {{ attribute }}_told
        {%- endfor %}

    from identifies

),

known as (

    select
        user_id,
        message_id,
        occurred_at
        {%- for attribute in attributes %},
        max({{ attribute }}) over (partition by user_id, {{ attribute }}_told) as {{ attribute }}
        {%- endfor %}

    from counted

),

compared as (

    select
        *,
        row_number() over (partition by user_id order by occurred_at, message_id) as call_number
        {%- for attribute in attributes %},
        lag({{ attribute }}) over (partition by user_id order by occurred_at, message_id) as previous_{{ attribute }}
        {%- endfor %}

    from known

),

changes as (

    select
        *,
        row_number() over (partition by user_id order by occurred_at, message_id) as change_number,
        lead(occurred_at) over (partition by user_id order by occurred_at, message_id) as valid_to

    from compared
    where call_number = 1
        {%- for attribute in attributes %}
        or coalesce({{ attribute }}, '') != coalesce(previous_{{ attribute }}, '')
        {%- endfor %}

),

final as (

    select
        user_id,
        change_number,
        {{ attributes | join(',\n        ') }},
        occurred_at as valid_from,
        valid_to,
        valid_to is null as is_current

    from changes

)

select * from final
