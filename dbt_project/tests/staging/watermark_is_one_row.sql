-- With none no event would be read, with two each could be read twice.
select count(*) as watermarks
from {{ ref('stg_load_watermark') }}
having count(*) != 1
