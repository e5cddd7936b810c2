-- Tenths of the same size, but for one; Gini between 0 and 1.
with

members as (

    select
        'customer' as subject,
        currency,
        count(distinct user_id) as members

    from {{ ref('fct_orders') }}
    where user_id is not null
    group by currency

    union all

    select
        'product' as subject,
        currency,
        count(distinct product_id) as members

    from {{ ref('fct_order_lines') }}
    group by currency

),

deciles as (

    select
        subject,
        currency,
        sum(members) as members,
        max(members) - min(members) as difference,
        min(gini) as lowest_gini,
        max(gini) as highest_gini

    from {{ ref('rpt_revenue_concentration') }}
    group by subject, currency

)

select
    subject,
    currency,
    members.members,
    deciles.members as decile_members,
    deciles.difference,
    deciles.lowest_gini,
    deciles.highest_gini
from members
full join deciles using (subject, currency)
where members.members is distinct from deciles.members
    or deciles.difference > 1
    or deciles.lowest_gini < 0
    or deciles.highest_gini > 1
    or deciles.lowest_gini != deciles.highest_gini
