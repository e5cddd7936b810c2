{# How somebody came: by the campaign's medium, else its source, else the referrer. #}
{% macro channel(utm_source, utm_medium, referrer) -%}
    case
        when lower({{ utm_medium }}) in ('cpc', 'ppc', 'paid', 'paid_search', 'paid_social', 'display') then 'paid'
        when lower({{ utm_medium }}) in ('email', 'newsletter') then 'email'
        when lower({{ utm_medium }}) in ('social', 'affiliate', 'organic', 'referral') then lower({{ utm_medium }})
        when {{ utm_source }} is not null then 'other'
        when {{ referrer }} is not null and {{ referrer }} != '' then 'referral'
        else 'direct'
    end
{%- endmacro %}
