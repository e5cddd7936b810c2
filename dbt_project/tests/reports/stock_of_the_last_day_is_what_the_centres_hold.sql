select
    report.product_id,
    report.day,
    report.on_hand,
    held.on_hand as held
from (
    select *
    from {{ ref('rpt_daily_stock') }}
    where day = (select max(day) from {{ ref('rpt_daily_stock') }})
) as report
full join (
    select
        product_id,
        case when count(*) = count(on_hand) then sum(on_hand) end as on_hand
    from {{ ref('fct_inventory_daily') }}
    where until > (select max(day) from {{ ref('fct_inventory_daily') }})
    group by product_id
) as held on report.product_id = held.product_id
where report.product_id is null or held.product_id is null or report.on_hand is distinct from held.on_hand
