-- 4 January is always in week 1, 28 December in the year's last; a week number changes on Mondays only.
select
    day,
    iso_year,
    iso_week
from {{ ref('dim_dates') }}
where (month_of_year = 1 and day_of_year = 4 and (iso_week != 1 or iso_year != year))
    or (month_of_year = 12 and extract(day from day) = 28 and (iso_week not in (52, 53) or iso_year != year))

union all

select
    dates.day,
    dates.iso_year,
    dates.iso_week
from {{ ref('dim_dates') }} as dates
inner join {{ ref('dim_dates') }} as next_day on {{ add_days('dates.day', 1) }} = next_day.day
where (dates.iso_week != next_day.iso_week) != (next_day.weekday = 1)
    or next_day.weekday != mod(dates.weekday, 7) + 1
