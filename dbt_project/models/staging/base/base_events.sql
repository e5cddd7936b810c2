-- Events below the load watermark as they are in raw, the envelope as typed columns. Read through the tables on it.
with

events as (

    select * from {{ source('raw', 'events') }}

),

ledger as (

    select * from {{ source('ops', 'ledger') }}

),

watermark as (

    select * from {{ ref('stg_load_watermark') }}

),

final as (

    select
        message_id,
        type as event_type,
        event as event_name,
        user_id,
        anonymous_id,

        timestamp as occurred_at,
        sent_at,
        received_at,

        {{ json_text('context', 'page.path') }} as page_path,
        {{ json_text('context', 'page.referrer') }} as referrer,
        {{ json_text('context', 'campaign.source') }} as utm_source,
        {{ json_text('context', 'campaign.medium') }} as utm_medium,
        {{ json_text('context', 'campaign.name') }} as utm_campaign,
        {{ json_text('context', 'locale') }} as locale,
        upper(coalesce(
            {{ json_text('context', 'location.country') }},
            {{ captured(json_text('context', 'locale'), '[-_]([A-Za-z]{2})$') }}
        )) as country,
        {{ json_text('context', 'location.city') }} as city,
        {{ json_text('context', 'ip') }} as ip,
        {{ json_text('context', 'userAgent') }} as user_agent,
        case
            when {{ json_text('context', 'device.type') }} is not null then lower({{ json_text('context', 'device.type') }})
            when {{ matches(json_text('context', 'userAgent'), 'ipad|tablet') }} then 'tablet'
            when {{ matches(json_text('context', 'userAgent'), 'mobi|iphone|android') }} then 'mobile'
            when {{ json_text('context', 'userAgent') }} is not null then 'desktop'
        end as device,

        properties,
        traits,

        batch_id,
        loaded_at

    from events
    where batch_id in (
        select ledger.batch_id
        from ledger
        inner join watermark on ledger.load_xid < watermark.load_xid
    )

)

select * from final
