-- Two ways to the same: by the report's months and by each day's movement.
with

inventory as (

    select
        *,
        min(case when on_hand is not null then day end) over (partition by product_id) as known_since

    from {{ ref('fct_inventory_daily') }}

),

facts as (

    select
        product_id,
        min(day) as first_day,
        max(day) as last_day,
        sum(delivered) as delivered,
        sum(sold) as sold,
        sum(case when day >= known_since then sold else 0 end) as sold_since_known

    from inventory
    group by product_id

)

select
    facts.*,
    report.sell_through_rate

from facts
full join {{ ref('rpt_sell_through') }} as report on facts.product_id = report.product_id
where facts.product_id is null
    or report.product_id is null
    or facts.first_day != report.first_day
    or facts.last_day != report.last_day
    or facts.delivered != report.delivered
    or facts.sold != report.sold
    or {{ ratio('facts.sold_since_known', 'facts.sold_since_known + report.on_hand') }} is distinct from report.sell_through_rate
