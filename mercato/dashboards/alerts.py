"""Alert rules as code: what is asked, and from which figure on somebody is told.

Guarantee: each rule's statement gives texts and exactly one number, no time, which is the shape that Grafana takes
for many alerts of one rule,
one a row. The texts of a row name what it is about and don't change with the figure, so that
an alert stays the same one until it ends. Rules look at ops and reports as the reader sees them.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from mercato.dashboards.panel import Dashboard
from mercato.dashboards.to_grafana import DATASOURCE, panel_id

FOLDER = "Alerts"
INTERVAL = "1m"
#: How a rule's text names its number: a count, a share of all, a multiple. `.Values` and `.Labels`, for `$values` is an
#: environment variable to some versions of Grafana, in some fields, and `$$values` is no template to the others.
_NUMBERS = {
    "#": '{{ printf "%.0f" .Values.A.Value }}',
    "%": "{{ humanizePercentage .Values.A.Value }}",
    "×": '{{ printf "%.1f" .Values.A.Value }}',
}
#: What Grafana adds to each query that lacks it; given, so that what it stores is what the file says.
_STORED = {"intervalMs": 1_000, "maxDataPoints": 43_200}


@dataclass(frozen=True)
class Rule:
    """Fires for each row whose number is above (below) `limit` for `lasting`.

    `says` has the row's texts by their column, `{source}`, and its number as `{#}`, `{%}` or `{×}`.
    """

    uid: str
    title: str
    sql: str
    limit: float
    says: str
    do: str
    dashboard: str
    panel: str
    severity: Literal["page", "ticket"] = "ticket"
    below: bool = False
    lasting: str = "0s"


RULES = (
    Rule("mercato-pipeline-failed", "Pipeline failed",
         "select distinct on (dag_id) dag_id, (state = 'failed')::integer::double precision as value from ops.dag_runs"
         " where state <> 'running' order by dag_id, started_at desc",
         0, "The last run of {dag_id} failed.",
         "Open the run in Airflow; the DAG's page is its runbook, the red task says what is wrong.",
         "mercato-pipeline", "dag-runs", "page"),
    Rule("mercato-freshness", "Data is old", "select layer, value from ops.alert_freshness(now())", 1,
         "{layer} is {×} times as old as it may be.",
         "`mercato status`: do the consumer and Airflow run?", "mercato-pipeline", "fresh", "page",
         lasting="5m"),
    Rule("mercato-residual", "The ledger doesn't balance",
         "select source, sum(abs(residual))::double precision as value from ops.balance group by source",
         0, "{#} records of {source} are unaccounted for.",
         "`mercato verify` names the batches. Stop loading until it is clear.", "mercato-pipeline",
         "residual", "page"),
    Rule("mercato-quarantine", "Many records in quarantine",
         "select source, value from ops.alert_quarantine(now())", 0.05,
         "{%} of the last hour's records of {source} were refused.",
         "The reasons and details are in Pipeline; ask the sender, then `mercato replay --dry-run`.",
         "mercato-pipeline", "quarantine-detail", lasting="5m"),
    Rule("mercato-volume", "Unusual number of events",
         "select event, direction, value from ops.alert_volume(now())", 0,
         "{event}: {direction}, beside the same hour of past weeks.",
         "Too few: is a tracker down? Too many: a campaign, or a bot?", "mercato-data", "outside"),
    Rule("mercato-tests", "Models or tests fail",
         "select resource_type as kind, count(*) filter (where failed)::double precision as value"
         " from ops.latest_results group by resource_type",
         0, "{#} of kind {kind} are red.",
         "They are listed in Pipeline; their rows are in schema test_failures.",
         "mercato-pipeline", "red"),
    Rule("mercato-quality", "Quality under 95 %",
         "select dimension, measure, score::double precision as value from ops.quality where score is not null", 0.95,
         "{dimension} ({measure}) is {%}.",
         "Look at Data for when it began.",
         "mercato-data", "quality", below=True, lasting="5m"),
    Rule("mercato-revenue", "Revenue dropped", "select currency, value from ops.alert_revenue(now())", 0.5,
         "The last two hours' revenue in {currency} is {%} below the usual.",
         "Do payments go through, do visitors come, do events come? See Live.", "mercato-sales", "net-by-day",
         "page"),
    Rule("mercato-conversion", "Conversion dropped",
         "select share, value from ops.alert_step(now(), 'Product Viewed', 'Order Completed')", 0.4,
         "{share} is {%} below the usual.",
         "See Funnel for the step at which visitors leave.", "mercato-funnel", "conversion-by-day", "page"),
    Rule("mercato-abandonment", "Carts are left behind",
         "select share, value from ops.alert_step(now(), 'Product Added', 'Checkout Started')", 0.4,
         "{share} is {%} below the usual.",
         "Does the checkout open? Do shipping prices or a coupon scare people away?", "mercato-funnel",
         "abandonment-by-day"),
    Rule("mercato-payments", "Payments fail", "select payments, value from ops.alert_payments(now())", 0.25,
         "{%} of the {payments} failed.",
         "Ask the payment provider.",
         "mercato-live", "failed", "page"),
    Rule("mercato-stock-out", "A best seller is out of stock",
         "select product_id, product, value from ops.alert_stock()",
         0,
         "{product} ({product_id}), one of the twenty best sellers, is out of stock.",
         "Restock it, or take it out of campaigns.",
         "mercato-products", "cover"),
    Rule("mercato-price-slip", "A price slipped",
         "select product_id, currency, value from ops.alert_prices(now())", 0.5,
         "{product_id} goes for {%} less than usual in {currency}.",
         "Compare the shop's price with the catalogue. Is it meant, silence the alert while it lasts.",
         "mercato-products", "prices", "page"),
    Rule("mercato-lag", "The consumer lags",
         "select source, sum(waiting)::double precision as value from ops.lag group by source", 100_000,
         "{#} records of {source} wait.",
         "Start another `mercato consume`: workers share the partitions.", "mercato-pipeline", "waiting",
         lasting="5m"),
    Rule("mercato-disk", "The disk is nearly full",
         "select machine, path, (1 - free_bytes::double precision / total_bytes) as value from ops.disk", 0.9,
         "{path} on {machine} is {%} full.",
         "`mercato maintain --keep-months N` drops old raw events.", "mercato-pipeline", "disk", "page"),
)  # fmt: skip


def provisioning(dashboards: tuple[Dashboard, ...]) -> dict[str, Any]:
    """Grafana's file of alert rules."""
    ids = {(one.uid, panel.key): panel_id(one, panel) for one in dashboards for panel in one.panels}
    group = {
        "orgId": 1,
        "name": "mercato",
        "folder": FOLDER,
        "interval": INTERVAL,
        "rules": [_rule(rule, ids[rule.dashboard, rule.panel]) for rule in RULES],
    }
    return {"apiVersion": 1, "groups": [group]}


def contact_points(email: str, webhook: str, slack: str) -> dict[str, Any]:
    """Grafana's file of those who are told: whichever addresses there are; e-mail to nobody where there is none."""
    if not (webhook or slack):
        email = email or "nobody@localhost"
    settings = {
        "webhook": {"url": webhook} if webhook else {},
        "slack": {"url": slack} if slack else {},
        "email": {"addresses": email} if email else {},
    }
    receivers = [
        {"uid": f"mercato-{kind}", "type": kind, "settings": given}
        for kind, given in settings.items()
        if given
    ]
    # Grafana keeps what a file no longer has; it deletes after it has added, and minds no uid that it doesn't know.
    gone = [{"orgId": 1, "uid": f"mercato-{kind}"} for kind, given in settings.items() if not given]
    told = {"orgId": 1, "name": "mercato", "receivers": receivers}
    return {"apiVersion": 1, "contactPoints": [told], **({"deleteContactPoints": gone} if gone else {})}


def policies() -> dict[str, Any]:
    """Grafana's file of who is told when: pages at once and every hour, tickets once a day."""
    page = {
        "receiver": "mercato",
        "matchers": ["severity = page"],
        "group_wait": "10s",
        "repeat_interval": "1h",
    }
    tree = {
        "orgId": 1, "receiver": "mercato", "group_by": ["grafana_folder", "alertname"], "group_wait": "1m",
        "group_interval": "5m", "repeat_interval": "24h", "routes": [page],
    }  # fmt: skip
    return {"apiVersion": 1, "policies": [tree]}


def summary(says: str) -> str:
    """A rule's text as Grafana's template."""
    return re.sub(r"\{(\w+|[#%×])\}", lambda it: _NUMBERS.get(it[1], "{{ .Labels." + it[1] + " }}"), says)


def _rule(rule: Rule, panel: int) -> dict[str, Any]:
    asked = {
        "refId": "A", "datasourceUid": DATASOURCE, "relativeTimeRange": {"from": 600, "to": 0},
        "model": {"refId": "A", "format": "table", "rawQuery": True, "editorMode": "code",
                  "rawSql": rule.sql, **_STORED},
    }  # fmt: skip
    limit = {"evaluator": {"type": "lt" if rule.below else "gt", "params": [rule.limit]}}
    judged = {
        "refId": "B", "datasourceUid": "__expr__", "relativeTimeRange": {"from": 0, "to": 0},
        "model": {"refId": "B", "type": "threshold", "expression": "A", "conditions": [limit], **_STORED},
    }  # fmt: skip
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "B",
        "data": [asked, judged],
        "noDataState": "OK",  # no row: nothing of the kind is there
        "execErrState": "Error",
        "for": rule.lasting,
        "annotations": {
            "summary": summary(rule.says),
            "description": rule.do,
            "__dashboardUid__": rule.dashboard,
            "__panelId__": str(panel),
        },
        "labels": {"severity": rule.severity},
        "isPaused": False,
    }
