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
            {%- set values = [
                quoted(invocation_id),
                quoted(result.node.unique_id),
                quoted(result.node.resource_type),
                quoted(result.node.name),
                quoted(result.status),
                quoted((result.message or '') | string | truncate(2000, true)) if result.message else 'null',
                result.failures if result.failures is number else 'null',
                affected if affected is number and affected >= 0 else 'null',
                result.execution_time | round(6),
                utc_moment(timing.started),
                utc_moment(timing.completed),
                quoted(flags.WHICH),
                'nullif(' ~ quoted(env_var('AIRFLOW_CTX_DAG_ID', '')) ~ ", '')",
                'nullif(' ~ quoted(env_var('AIRFLOW_CTX_DAG_RUN_ID', '')) ~ ", '')",
                'nullif(' ~ quoted(env_var('AIRFLOW_CTX_TASK_ID', '')) ~ ", '')",
            ] -%}
            {%- do rows.append('(' ~ values | join(', ') ~ ')') -%}
        {%- endfor -%}
        insert into ops.dbt_results (
            invocation_id, unique_id, resource_type, name, status, message, failures, rows_affected, duration_s,
            started_at, completed_at, command, dag_id, dag_run_id, task_id
        ) values
        {{ rows | join(',\n') }}
        on conflict do nothing
    {%- endif -%}
{% endmacro %}


{% macro quoted(value) -%}
    {{ dbt.string_literal(dbt.escape_single_quotes(value | string)) }}
{%- endmacro %}


{# dbt's timings are UTC without saying so. #}
{% macro utc_moment(moment) -%}
    {%- if moment -%} timestamp {{ quoted(moment.strftime('%Y-%m-%d %H:%M:%S.%f')) }} at time zone 'UTC'
    {%- else -%} null
    {%- endif -%}
{%- endmacro %}
