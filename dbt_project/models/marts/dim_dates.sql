-- Whole years, so that a calendar has no holes where a shop had no event.
{{ config(
    key='year',
    unique_key='day',
    dirty_keys="
        select cast(extract(year from {{ utc_day('occurred_at') }}) as integer) from {{ ref('stg_events') }}
        where batch_id in ({{ changed('stg_events', 'batch_id', 'bigint') }})
    ",
) }}

with

numbers as (

    {{ dbt.generate_series(366) }}

),

years as (

    select distinct {{ dbt.date_trunc('year', utc_day('occurred_at')) }} as first_day
    from {{ ref('stg_events') }}
    where true
        {{ and_new('stg_events') }}

),

days as (

    select
        cast(first_day as date) as first_day,
        {{ add_days('first_day', 'cast(numbers.generated_number as integer) - 1') }} as day

    from years
    cross join numbers

),

told as (

    select
        day,
        first_day,
        {{ weekday('day') }} as weekday,
        {{ week_of('day') }} as week,
        -- An ISO week is of the year that has its Thursday.
        {{ add_days(week_of('day'), 3) }} as thursday

    from days
    where extract(year from day) = extract(year from first_day)

),

final as (

    select
        day,
        cast(extract(year from day) as integer) as year,
        cast(extract(quarter from day) as integer) as quarter,
        cast(extract(month from day) as integer) as month_of_year,
        {{ month_of('day') }} as month,
        case cast(extract(month from day) as integer)
            {%- for name in [
                'January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October',
                'November', 'December'
            ] %}
            when {{ loop.index }} then '{{ name }}'
            {%- endfor %}
        end as month_name,
        week,
        cast(extract(year from thursday) as integer) as iso_year,
        cast(floor(
            {{ dbt.datediff(dbt.date_trunc('year', 'thursday'), 'thursday', 'day') }} / 7
        ) as integer) + 1 as iso_week,
        weekday,
        case weekday
            {%- for name in ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] %}
            when {{ loop.index }} then '{{ name }}'
            {%- endfor %}
        end as weekday_name,
        weekday >= 6 as is_weekend,
        cast({{ dbt.datediff('first_day', 'day', 'day') }} + 1 as integer) as day_of_year

    from told

)

select * from final
