{# What a model says to be incremental by dirty key; macros/incremental.sql has the rules and does the work. #}


{# SQL for incremental runs alone: a full refresh, `dbt show`, `dbt compile` and unit tests leave it out. #}
{% macro in_increments(sql) -%}
    {{ adapter.dispatch('in_increments')(sql) }}
{%- endmacro %}

{# Where each run makes whole tables: macros/duckdb.sql. #}
{% macro default__in_increments(sql) -%}
{%- endmacro %}

{% macro postgres__in_increments(sql) -%}
    {%- if model.resource_type == 'model' and flags.WHICH not in ['show', 'compile', 'generate'] -%}
        /*increment*/ {{ sql }} /*tnemercni*/
    {%- endif -%}
{%- endmacro %}


{# A condition more: the rows of the dirty keys, by the column that holds the key. #}
{% macro and_dirty(column) -%}
    {{ in_increments("and " ~ column ~ " in (select key from dirty_keys)") }}
{%- endmacro %}


{# The same by the column's index, whatever the planner thinks: of a column with very many values its sample finds few, so it
   expects so many rows a key that it would rather read the whole table. Without an index this reads it once a key. #}
{% macro and_dirty_by_index(column) -%}
    {{ in_increments("and " ~ column ~ " = any(array(select key from dirty_keys))") }}
{%- endmacro %}


{# A relation; in increments its rows for which the condition holds with a row of `asked`, each looked up in the index. By its
   statistics of a long table Postgres would rather read all of it; `offset 0` leaves it no choice. #}
{% macro looked_up(relation, condition) -%}
    {{ in_increments("asked cross join lateral (select * from") }} {{ relation }} {{ in_increments("where " ~ condition ~ " offset 0)") }}
{%- endmacro %}


{# The keys of one kind that a model changed since the asking model last read it: a query with one column. #}
{% macro changed(model_name, kind, type='text') -%}
    select cast(changes_read.key as {{ type }})
    from changes_read
    where changes_read.model = {{ quoted(model_key(ref(model_name))) }} and changes_read.kind = {{ quoted(kind) }}
{%- endmacro %}


{# The keys that `mercato backfill` asked for: the rows of these are computed again, whatever changed or not. #}
{% macro asked_for(type='text') -%}
    select cast(due.key as {{ type }}) from ops.model_keys_due as due where due.model = {{ quoted(model_key(this)) }}
{%- endmacro %}


{# A condition more: the rows that came to a staging model since the asking model last read it. #}
{% macro and_new(model_name) -%}
    {{ in_increments("and batch_id in (" ~ changed(model_name, 'batch_id', 'bigint') ~ ")") }}
{%- endmacro %}


{# The batches below the load watermark that the asking model hasn't taken: the dirty keys of models on raw. #}
{% macro new_batches() -%}
    select ledger.batch_id
    from ops.ledger as ledger
    inner join {{ ref('stg_load_watermark') }} as watermark on ledger.load_xid < watermark.load_xid
    inner join ops.models as models on ledger.load_xid >= models.load_xid
    where models.model = {{ quoted(model_key(this)) }}
{%- endmacro %}


{# A condition more, for models on raw: the new batches. Between the outer ones, so that the block range index of
   raw serves whatever the planner thinks of the rest. #}
{% macro and_new_batches() -%}
    {%- if model.resource_type == 'model' %}{% do ref('stg_load_watermark') %}{% endif -%}
    {{ in_increments(
        "and batch_id between (select min(key) from dirty_keys) and (select max(key) from dirty_keys) "
        ~ "and batch_id in (select key from dirty_keys)"
    ) }}
{%- endmacro %}


{# How the books in ops name a model. #}
{% macro model_key(relation) -%}
    {{ relation.schema }}.{{ relation.identifier }}
{%- endmacro %}
