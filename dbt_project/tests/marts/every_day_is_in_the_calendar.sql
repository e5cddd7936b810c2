-- And every year is whole.
select
    sales.day,
    null as year
from {{ ref('fct_sales_daily') }} as sales
left join {{ ref('dim_dates') }} as dates on sales.day = dates.day
where dates.day is null

union all

select
    max(day) as day,
    year
from {{ ref('dim_dates') }}
group by year
having count(*) != max(day_of_year) or max(day_of_year) not in (365, 366)
