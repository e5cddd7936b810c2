{{ config(
    emits={'batch_id': 'batch_id'},
    indexes=[{'columns': ['batch_id']}, {'columns': ['user_id']}],
) }}

with

events as (

    select * from {{ ref('base_events') }}

),

final as (

    select
        message_id,
        user_id,
        anonymous_id,
        occurred_at,
        coalesce(
            {{ json_text('traits', 'name') }},
            nullif(concat_ws(' ', {{ json_text('traits', 'firstName') }}, {{ json_text('traits', 'lastName') }}), '')
        ) as customer_name,
        lower({{ json_text('traits', 'email') }}) as email,
        coalesce({{ json_text('traits', 'country') }}, {{ json_text('traits', 'address.country') }}) as country,
        coalesce({{ json_text('traits', 'city') }}, {{ json_text('traits', 'address.city') }}) as city,
        batch_id

    from events
    where event_type = 'identify' and user_id is not null
        {{ and_new_batches() }}

)

select * from final
