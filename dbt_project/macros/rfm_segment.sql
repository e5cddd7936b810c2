{# The segment of a recency and a frequency score, each cell of the 5 × 5 grid in one; the table is in the description of
   `rpt_rfm`. #}
{% macro rfm_segment(r_score, f_score) -%}
    case
        when {{ r_score }} <= 2 and {{ f_score }} <= 2 then 'hibernating'
        when {{ r_score }} <= 2 and {{ f_score }} <= 4 then 'at_risk'
        when {{ r_score }} <= 2 then 'cannot_lose'
        when {{ r_score }} = 3 and {{ f_score }} <= 2 then 'about_to_sleep'
        when {{ r_score }} = 3 and {{ f_score }} = 3 then 'needs_attention'
        when {{ r_score }} <= 4 and {{ f_score }} >= 4 then 'loyal'
        when {{ r_score }} = 4 and {{ f_score }} = 1 then 'promising'
        when {{ r_score }} = 5 and {{ f_score }} = 1 then 'new'
        when {{ f_score }} <= 3 then 'potential_loyal'
        else 'champion'
    end
{%- endmacro %}
