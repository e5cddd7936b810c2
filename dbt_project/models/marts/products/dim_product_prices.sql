-- By offer, a product in a currency, and not all of its prices: what came before the first that changed stays as it is.
-- Asked for are the days whose price isn't the one known of them, those of a price that began and are gone, the day after
-- each, and the price before each, which may end on another day. A day at the price that holds anyway changes nothing.
{{ config(
    key='offer_day',
    unique_key=['product_id', 'currency', 'valid_from'],
    dirty_keys="
        with changed as (
            select key, cast(substring(key, 1, 10) as date) as day, substring(key, 12) as offer_id
            from ({{ changed('fct_product_prices_daily', 'offer_day') }}) as changed (key)
        ),
        moved as (
            select changed.*
            from changed
            inner join {{ ref('fct_product_prices_daily') }} as days
                on changed.offer_id = days.offer_id and changed.day = days.day
            left join lateral (
                select known.price_minor from {{ this }} as known
                where known.offer_id = changed.offer_id and known.valid_from <= changed.day
                order by known.valid_from desc
                limit 1
            ) as known on true
            where days.price_minor is distinct from known.price_minor
            union all
            select changed.*
            from changed
            inner join {{ this }} as known on changed.key = known.offer_day
            left join {{ ref('fct_product_prices_daily') }} as days
                on changed.offer_id = days.offer_id and changed.day = days.day
            where days.day is null
        )
        select key from moved
        union all
        select cast(after.day as text) || ' ' || moved.offer_id
        from moved
        cross join lateral (
            select days.day from {{ ref('fct_product_prices_daily') }} as days
            where days.offer_id = moved.offer_id and days.day > moved.day
            order by days.day
            limit 1
        ) as after
        union all
        select before.offer_day
        from moved
        cross join lateral (
            select known.offer_day from {{ this }} as known
            where known.offer_id = moved.offer_id and known.valid_from < moved.day
            order by known.valid_from desc
            limit 1
        ) as before
    ",
    indexes=[{'columns': ['offer_day']}, {'columns': ['offer_id', 'valid_from']}, {'columns': ['product_id']}],
    cluster_by='valid_from',
) }}

{# The days that are asked for and those that began a price, from the one before the first that is asked for: between
   them no price begins, so the one before in this list has the price of the day before. #}
{% set asked %}
earliest as (

    select
        substring(key, 12) as offer_id,
        min(cast(substring(key, 1, 10) as date)) as day
    from dirty_keys
    group by substring(key, 12)

),

since as (

    select
        earliest.offer_id,
        coalesce(before.valid_from, earliest.day) as day
    from earliest
    left join lateral (
        select known.valid_from from {{ this }} as known
        where known.offer_id = earliest.offer_id and known.valid_from < earliest.day
        order by known.valid_from desc
        limit 1
    ) as before on true

),

asked as (

    select
        substring(key, 12) as offer_id,
        cast(substring(key, 1, 10) as date) as day
    from dirty_keys

    union

    select
        since.offer_id,
        known.valid_from as day
    from since
    inner join {{ this }} as known on since.offer_id = known.offer_id and since.day <= known.valid_from

),
{% endset %}

with

{{ in_increments(asked) }}

days as (

    select days.*
    from {{ looked_up(ref('fct_product_prices_daily'), 'offer_id = asked.offer_id and day = asked.day') }} as days

),

compared as (

    select
        *,
        lag(price_minor) over (partition by product_id, currency order by day) as previous_price_minor

    from days

),

changes as (

    select * from compared
    where previous_price_minor is null or price_minor != previous_price_minor

),

final as (

    select
        product_id,
        currency,
        offer_id,
        cast(day as {{ dbt.type_string() }}) || ' ' || offer_id as offer_day,
        price_minor,
        previous_price_minor,
        day as valid_from,
        lead(day) over (partition by product_id, currency order by day) as valid_to,
        lead(day) over (partition by product_id, currency order by day) is null as is_current

    from changes

)

select * from final
where true
    {{ and_dirty('offer_day') }}
