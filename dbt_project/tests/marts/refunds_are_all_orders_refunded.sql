-- Every refund event below the watermark is a fact, and no other.
select
    refunded.message_id,
    refunds.refund_id
from {{ ref('stg_refunds') }} as refunded
full join {{ ref('fct_refunds') }} as refunds on refunded.message_id = refunds.refund_id
where refunded.message_id is null or refunds.refund_id is null
