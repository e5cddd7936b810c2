{# The load watermark: every batch of a transaction before it has ended. #}
{% macro load_watermark() -%}
    {{ adapter.dispatch('load_watermark')() }}
{%- endmacro %}

{% macro postgres__load_watermark() -%}
    pg_snapshot_xmin(pg_current_snapshot())
{%- endmacro %}

{# A file has one writer at a time, so that what is in the books has ended. #}
{% macro duckdb__load_watermark() -%}
    (select coalesce(max(load_xid), 0) + 1 from {{ source('ops', 'ledger') }})
{%- endmacro %}
