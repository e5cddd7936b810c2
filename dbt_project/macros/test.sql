{# A data test that makes a table of its failing rows only where there are any. dbt's own makes and drops one for each
   test in each run: a quarter of a run's time, and catalog tables that grow. #}
{% materialization test, adapter='postgres' %}
    {%- set query = get_limit_subquery_sql(sql, config.get('limit')) -%}
    {% call statement('main', fetch_result=True) %}
        {{ get_test_sql(query, config.get('fail_calc'), config.get('warn_if'), config.get('error_if'), limit=none) }}
    {% endcall %}
    {%- set failing = should_store_failures() and load_result('main')['table'].rows[0][0] -%}
    {%- set name = {'database': database, 'schema': schema, 'identifier': model['alias']} -%}
    {%- set kept = adapter.get_relation(**name) -%}
    {%- if kept or failing -%}
        {% call statement('keep', auto_begin=True) %}
            select 'the failing rows'
        {% endcall %}
        {%- if kept -%}
            {%- do adapter.drop_relation(kept) -%}
        {%- endif -%}
        {%- set rows = api.Relation.create(type='table', **name) -%}
        {%- if failing -%}
            {%- do run_query(get_create_table_as_sql(False, rows, query)) -%}
        {%- endif -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
    {{ return({'relations': [rows] if failing else []}) }}
{% endmaterialization %}
