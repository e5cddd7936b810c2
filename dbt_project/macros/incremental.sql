{#  Incremental by dirty key. A model's config says

      incremental_strategy: dirty_keys
      key         column by which rows are recomputed: all rows of a dirty key, or none
      unique_key  column or columns that tell rows of a key apart
      dirty_keys  query of the keys to recompute, from `changed(…)` of every model it reads, or `new_batches()`
      emits       {kind: expression}: keys of changed rows, old and new, for the models that read this one; or
                  {kind: {key: expression, of: [columns]}}: of rows that changed in these columns, which tell the rows of
                  a key apart (a row that went and two like it that came would be no change)
      append      true where rows only ever come: nothing is compared
      cluster_by  column in whose order a full build writes the rows, as increments do that come day by day: what is
                  recomputed together then lies together, however long the history

    and its query restricts what it reads by `and_dirty(column)`. A run is one transaction: it locks the model's row
    in ops.models, takes the dirty keys, computes their rows, deletes and inserts only those that differ, and writes
    down the keys of these and how far it has read. Killed anywhere, the model is as before; a model that was left
    behind, by a kill or a partial `dbt build --select`, catches up by itself.

    The whole table is made anew, with all rows of those that read it, when it is not there, by --full-refresh,
    when its query (macros, vars, views and contract included) isn't the one that made its rows, or when a model
    it reads was made anew. #}
{% materialization incremental, adapter='postgres' %}
    {%- if config.get('incremental_strategy') != 'dirty_keys' -%}
        {{ return(dbt.materialization_incremental_default()) }}
    {%- endif -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type='table') -%}
    {%- set name = quoted(model_key(this)) -%}
    {%- set checksum = quoted(query_checksum(sql)) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {#- In one round trip, as all that follows where it can: each costs dbt as much as the server. -#}
    {% call statement('lock', fetch_result=True, auto_begin=True) %}
        insert into ops.models (model) values ({{ name }})
        on conflict (model) do update set model = excluded.model;
        {{ read_versions_sql(name) }};
        {%- if config.get('reads_raw') %}
        select load_xid from {{ ref('stg_load_watermark') }} for share;
        {%- endif %}
        {{ must_rebuild_sql(name, checksum) }}
    {% endcall %}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- set whole = existing is none or existing.type != 'table' or should_full_refresh()
        or load_result('lock').table.rows[0][0] -%}
    {%- if whole -%}
        {%- do refuse_to_forget(existing) -%}
        {%- do rebuild(existing, target, without_increments(sql)) -%}
        {%- set changed = true -%}
    {%- else -%}
        {%- set changed = increment(target, sql, name) -%}
    {%- endif -%}

    {% call statement('books') %}
        {%- if changed and not whole %}
            {{ log_changes_sql(name) }};
        {%- endif %}
        update ops.models
        set checksum = {{ checksum }}
            {%- if changed %}, version = version + 1, changed_at = now() {% endif -%}
            {%- if whole %}, log_from = version + 1 {% endif -%}
            {%- if config.get('reads_raw') %}, load_xid = (select load_xid from {{ ref('stg_load_watermark') }}) {% endif %}
        where model = {{ name }};
        {%- if changed %}
            {{ prune_changes_sql(name) }};
        {%- endif %}
        insert into ops.model_reads (reader, model, version)
        select {{ name }}, model, upto from models_read
        on conflict (reader, model) do update set version = excluded.version;
        -- What its query no longer reads would look like something that it is behind with.
        delete from ops.model_reads where reader = {{ name }} and model not in (select model from models_read);
        -- None came meanwhile: who asks for keys locks the model's row first.
        delete from ops.model_keys_due where model = {{ name }}
    {% endcall %}

    {% do apply_grants(target, config.get('grants'), should_revoke=should_revoke(existing, whole)) %}
    {% do persist_docs(target, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{# Make the table anew beside the old one and put it in its place; indexes and statistics included. #}
{% macro rebuild(existing, target, query) %}
    {%- set built = make_intermediate_relation(target) -%}
    {%- do adapter.drop_relation(built) -%}
    {%- if config.get('cluster_by') -%}
        {%- set query = "select * from (" ~ query ~ "\n) as unordered order by " ~ config.get('cluster_by') -%}
    {%- endif -%}
    {% call statement('main') %}
        {{ get_create_table_as_sql(False, built, query) }}
    {% endcall %}
    {%- do create_indexes(built) -%}
    {%- if existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- do adapter.rename_relation(built, target) -%}
    {#- Visits are counted from an index alone where its pages are known to hold nothing dead. By default that is looked to
       after a fifth of the rows has changed, weeks of a shop with two million: five times as long a count meanwhile.
       What comes later wants a tenth of a page to be free, so that a short row isn't put into the gap that a longer one has
       left at the end of each page of a full build: of fifty million events each run wrote thousands of them so, each to a
       page of its own from anywhere in the history. -#}
    {%- do run_query(
        "alter table " ~ target ~ " set (autovacuum_vacuum_scale_factor = 0.01, fillfactor = 90); analyze " ~ target
    ) -%}
{% endmacro %}


{# Recompute the rows of the dirty keys and write those that differ; whether there were any. What went and what
   came stays in rows_gone and rows_come until the end of the transaction. #}
{% macro increment(target, query, name) %}
    {%- if '/*increment*/' not in query -%}
        {{ exceptions.raise_compiler_error("it never restricts what it reads: use and_dirty()") }}
    {%- endif -%}
    {%- set dirty = render(config.get('dirty_keys')) -%}
    {%- for upstream in models_it_reads() if quoted(upstream) not in dirty -%}
        {{ exceptions.raise_compiler_error("its dirty_keys don't ask what " ~ upstream ~ " changed") }}
    {%- endfor -%}
    {%- set columns = adapter.get_columns_in_relation(target) -%}
    {%- set key = config.get('key') -%}
    {%- set unique_key = config.get('unique_key') or [] -%}
    {%- set unique_key = [unique_key] if unique_key is string else unique_key -%}

    {%- set due = asked_for((columns | selectattr('name', 'equalto', key) | first).data_type) -%}
    {%- set dirty = "select distinct key from ((" ~ dirty ~ ") union all " ~ due ~ ") as dirty (key) where key is not null" -%}
    {#- Changes in a table of their own: of the log, which grows and shrinks all day, the planner has no statistics. -#}
    {%- set something = run_query(
            temporary('changes_read', changes_read_sql())
            ~ "select exists (select 1 from changes_read) or exists (" ~ due ~ ")"
        ).rows[0][0] or config.get('reads_raw') -%}
    {%- if not something
        or not run_query(temporary('dirty_keys', dirty) ~ "select exists (select 1 from dirty_keys)").rows[0][0] -%}
        {% call statement('main') %} select 'nothing is new' {% endcall %}
        {{ return(false) }}
    {%- endif -%}
    {%- set columns = columns | map(attribute='quoted') | list -%}
    {%- set all_columns = columns | join(', ') -%}
    {%- set computed = "select " ~ all_columns ~ " from (" ~ query ~ ") as computed" -%}
    {%- set told_apart = ([key] + unique_key) | unique | list -%}
    {%- if config.get('append') -%}
        {%- set steps = temporary('rows_come', computed, told_apart)
            ~ temporary('rows_gone', "select " ~ all_columns ~ " from rows_come where false", told_apart) -%}
    {%- else -%}
        {%- set steps = temporary('rows_now', computed, told_apart)
            ~ temporary('rows_before',
                "select " ~ all_columns ~ " from " ~ target ~ " where " ~ key ~ " in (select key from dirty_keys)",
                told_apart)
            ~ temporary('rows_gone', rows_that_differ('rows_before', 'rows_now', unique_key, columns), told_apart)
            ~ temporary('rows_come', rows_that_differ('rows_now', 'rows_before', unique_key, columns), told_apart)
            ~ "delete from " ~ target ~ " as target using rows_gone where "
            ~ same_columns('target', 'rows_gone', told_apart) ~ "; " -%}
    {%- endif -%}
    {%- set differing = run_query(
            steps ~ "select exists (select 1 from rows_gone) or exists (select 1 from rows_come)"
        ).rows[0][0] -%}
    {% call statement('main') %}
        insert into {{ target }} ({{ all_columns }}) select {{ all_columns }} from rows_come
    {% endcall %}
    {{ return(differing) }}
{% endmacro %}


{# Rows of one table that the other hasn't, or has with other values. #}
{% macro rows_that_differ(one, other, unique_key, columns) -%}
    select one.* from {{ one }} as one
    left join {{ other }} as other on {{ same_columns('one', 'other', unique_key) }}
    where other.{{ unique_key[0] }} is null
    {%- for column in columns %} or one.{{ column }} is distinct from other.{{ column }} {%- endfor -%}
{%- endmacro %}


{% macro same_columns(one, other, columns) -%}
    {%- for column in columns | list -%}
        {{ one }}.{{ column }} = {{ other }}.{{ column }} {{- ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{# Statements that make a temporary table. It has statistics, which a subquery hasn't: the planner sees how little is asked
   for. Of wide rows only `columns`, by which they are looked for, are worth theirs. #}
{% macro temporary(name, query, columns=none) -%}
    create temporary table {{ name }} on commit drop as {{ query }};
    analyze {{ name }} {%- if columns %} ({{ columns | join(', ') }}) {%- endif %};
{% endmacro %}


{# The models it reads, with the version up to which it has read them (none yet: null) and the one they are at.
   They stay as they are until this transaction ends. #}
{% macro read_versions_sql(name) %}
    create temporary table models_read on commit drop as
    select models.model, reads.version, models.version as upto, models.log_from
    from ops.models as models
    left join ops.model_reads as reads on models.model = reads.model and reads.reader = {{ name }}
    where models.model in ('' {%- for upstream in models_it_reads() -%}, {{ quoted(upstream) }} {%- endfor -%})
    for share of models
{% endmacro %}


{# What these models have changed since this one last read them. #}
{% macro changes_read_sql() %}
    select distinct changes.model, changes.kind, changes.key
    from ops.model_changes as changes
    inner join models_read on changes.model = models_read.model and changes.version > models_read.version
{% endmacro %}


{# Whether the change log doesn't tell all that happened since the model was last built, or its query is another. #}
{% macro must_rebuild_sql(name, checksum) %}
    select
        (select models.checksum is distinct from {{ checksum }} from ops.models as models where models.model = {{ name }})
        or (select count(*) from models_read) != {{ models_it_reads() | length }}
        or exists (select 1 from models_read where version is null or version < log_from)
{% endmacro %}


{# A kind of key is an expression, or {key: expression, of: [columns]}: then only of rows that differ in these. #}
{% macro log_changes_sql(name) %}
    {%- set emits = config.get('emits', {}) -%}
    {%- if emits -%}
    insert into ops.model_changes (model, version, kind, key)
    {%- for kind, emitted in emits.items() %}
    {%- set expression = emitted if emitted is string else emitted['key'] %}
    {%- set told = expression ~ " as key" ~ ('' if emitted is string else ", " ~ emitted['of'] | join(', ')) %}
    select distinct {{ name }}, models.version + 1, {{ quoted(kind) }}, cast(differing.key as text)
    from (
        {%- if emitted is string %}
        select {{ told }} from rows_gone union all select {{ told }} from rows_come
        {%- else %}
        (select {{ told }} from rows_gone except select {{ told }} from rows_come)
        union all
        (select {{ told }} from rows_come except select {{ told }} from rows_gone)
        {%- endif %}
    ) as differing
    cross join ops.models as models
    where models.model = {{ name }} and differing.key is not null
    {{ 'union all' if not loop.last }}
    {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{# Forget what every reader has read; a reader more than 100 versions behind reads the model wholly. #}
{% macro prune_changes_sql(name) %}
    update ops.models as models
    set log_from = greatest(models.log_from, models.version - 100, least(models.version, (
        select min(reads.version) from ops.model_reads as reads where reads.model = models.model
    )))
    where models.model = {{ name }};
    delete from ops.model_changes as changes
    using ops.models as models
    where models.model = {{ name }} and changes.model = models.model and changes.version <= models.log_from
{% endmacro %}


{# Changes when the rows would: query with macros and vars, views it reads, key columns, contract, indexes. #}
{% macro query_checksum(query) %}
    {%- set parts = [query, config.get('key'), config.get('unique_key'), config.get('dirty_keys'), config.get('emits'), config.get('indexes')] -%}
    {%- for node in nodes_it_reads() if node.config.materialized not in ['incremental', 'table'] -%}
        {%- do parts.append(node.checksum.checksum) -%}
    {%- endfor -%}
    {%- if config.get('contract').enforced -%}
        {%- for column in model.columns.values() -%}
            {%- do parts.append([column.name, column.data_type, column.constraints | map(attribute='type') | list]) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(local_md5(parts | string)) }}
{% endmacro %}


{# The query of a full refresh. #}
{% macro without_increments(query) %}
    {{ return(modules.re.sub('(?s)/[*]increment[*]/.*?/[*]tnemercni[*]/', '', query)) }}
{% endmacro %}


{% macro nodes_it_reads() %}
    {%- set found = [] -%}
    {%- for unique_id in model.depends_on.nodes if unique_id in graph.nodes -%}
        {%- do found.append(graph.nodes[unique_id]) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{# Names in the books of the incremental models it reads. A plain table's changes are in no log, so none may be read. #}
{% macro models_it_reads() %}
    {%- set found = [] -%}
    {%- for node in nodes_it_reads() -%}
        {%- if node.config.materialized == 'incremental' and node.config.incremental_strategy == 'dirty_keys' -%}
            {%- do found.append(node.schema ~ '.' ~ (node.alias or node.name)) -%}
        {%- elif node.name != 'stg_load_watermark' and node.config.materialized in ['table', 'incremental', 'snapshot'] -%}
            {{ exceptions.raise_compiler_error("it reads " ~ node.name ~ ", whose changes no log tells") }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{# A new query would rebuild a model on raw from what raw still has: that is for people to decide. #}
{% macro refuse_to_forget(existing) %}
    {%- if existing is not none and config.get('reads_raw') and not should_full_refresh()
        and run_query("select exists (select 1 from ops.dropped_months)").rows[0][0] -%}
        {{ exceptions.raise_compiler_error(
            "its query has changed, and raw has dropped months that its rows still hold; "
            ~ "`--full-refresh` builds it from what raw has") }}
    {%- endif -%}
{% endmacro %}

