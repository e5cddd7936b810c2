{#  DuckDB: the same queries, each table made anew by each run. Increments need books, locks and many writers, which are
    the warehouse's; a file that is thrown away and made again needs none. #}
{% materialization incremental, adapter='duckdb' %}
    {{ return(dbt.materialization_table_duckdb()) }}
{% endmaterialization %}


{# It reads whole columns; the indexes of increments would only cost. A contract's primary key makes its own. #}
{% macro duckdb__create_indexes(relation) -%}
{%- endmacro %}
