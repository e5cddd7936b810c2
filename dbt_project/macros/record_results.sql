{# on-run-end: a row for each node to ops.dbt_results, also for those that failed or were skipped. Dashboards,
   alerts and the check "green means green" read it. A failing hook fails the run, so it must not lose any. #}
{% macro record_results(results) -%}
    {{ adapter.dispatch('record_results')(results) }}
{%- endmacro %}

{# The books about runs are the warehouse's. #}
{% macro duckdb__record_results(results) -%}
{%- endmacro %}

{% macro postgres__record_results(results) %}
    {%- set commands = ['build', 'run', 'test', 'seed', 'snapshot', 'freshness', 'source-freshness'] -%}
    {%- if execute and results and flags.WHICH in commands -%}
        {%- set rows = [] -%}
        {%- for result in results -%}
            {%- set timing = namespace(started=none, completed=none) -%}
            {%- for step in result.timing if step.name == 'execute' -%}
                {%- set timing.started = step.started_at -%}
                {%- set timing.completed = step.completed_at -%}
            {%- endfor -%}
            {%- set affected = (result.adapter_response or {}).get('rows_affected') -%}
            {%- do rows.append({
                'unique_id': result.node.unique_id,
                'resource_type': result.node.resource_type | string,
                'name': result.node.name,
                'status': result.status | string,
                'message': (result.message | string | truncate(2000, true)) if result.message else none,
                'failures': result.failures if result.failures is number else none,
                'rows_affected': affected if affected is number and affected >= 0 else none,
                'duration_s': result.execution_time | round(6),
                'started_at': utc_moment(timing.started),
                'completed_at': utc_moment(timing.completed),
            }) -%}
        {%- endfor -%}
        {#- One literal of JSON: a literal a value took a third of a second of each run of a layer. #}
        insert into ops.dbt_results (
            invocation_id, unique_id, resource_type, name, status, message, failures, rows_affected, duration_s,
            started_at, completed_at, command, dag_id, dag_run_id, task_id
        )
        select
            {{ quoted(invocation_id) }}, results.*, {{ quoted(flags.WHICH) }},
            nullif({{ quoted(env_var('AIRFLOW_CTX_DAG_ID', '')) }}, ''),
            nullif({{ quoted(env_var('AIRFLOW_CTX_DAG_RUN_ID', '')) }}, ''),
            nullif({{ quoted(env_var('AIRFLOW_CTX_TASK_ID', '')) }}, '')
        from json_to_recordset({{ quoted(tojson(rows)) }}) as results (
            unique_id text, resource_type text, name text, status text, message text, failures bigint,
            rows_affected bigint, duration_s numeric, started_at timestamptz, completed_at timestamptz
        )
        on conflict do nothing
    {%- endif -%}
{% endmacro %}


{% macro quoted(value) -%}
    {{ dbt.string_literal(dbt.escape_single_quotes(value | string)) }}
{%- endmacro %}


{# dbt's timings are UTC without saying so. #}
{% macro utc_moment(moment) -%}
    {%- do return(moment.strftime('%Y-%m-%d %H:%M:%S.%f+00') if moment else none) -%}
{%- endmacro %}
