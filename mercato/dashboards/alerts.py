"""Alert rules as code: what is asked, and from which figure on somebody is told.

Guarantee: each rule's statement gives texts and exactly one number, no time, which is the shape that Grafana takes
for many alerts of one rule,
one a row. The texts of a row name what it is about and don't change with the figure, so that
an alert stays the same one until it ends. Rules look at ops and reports as the reader sees them.
"""

from dataclasses import dataclass
from typing import Any, Literal

from mercato.dashboards.panel import Dashboard
from mercato.dashboards.to_grafana import DATASOURCE, panel_id

FOLDER = "Alerts"
INTERVAL = "1m"


@dataclass(frozen=True)
class Rule:
    """Fires for each row whose number is above (below) `limit` for `lasting`."""

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
         0, "The last run of {{ $labels.dag_id }} failed.",
         "Open the run in Airflow; the DAG's page is its runbook, the red task says what is wrong.",
         "mercato-pipeline", "dag-runs", "page"),
    Rule("mercato-freshness", "Data is old", "select layer, value from ops.alert_freshness(now())", 1,
         "{{ $labels.layer }} is {{ $values.A.Value }} times as old as it may be.",
         "`mercato status`: do the consumer and Airflow run?", "mercato-pipeline", "fresh", "page",
         lasting="5m"),
    Rule("mercato-residual", "The ledger doesn't balance",
         "select source, sum(abs(residual))::double precision as value from ops.balance group by source",
         0, "{{ $values.A.Value }} records of {{ $labels.source }} are unaccounted for.",
         "`mercato verify` names the batches. Stop loading until it is clear.", "mercato-pipeline",
         "residual", "page"),
    Rule("mercato-quarantine", "Many records in quarantine",
         "select source, value from ops.alert_quarantine(now())", 0.05,
         "{{ $values.A.Value }} of the last hour's records of {{ $labels.source }} were refused (1 is all).",
         "The reasons and details are in Pipeline; ask the sender, then `mercato replay --dry-run`.",
         "mercato-pipeline", "quarantine-detail", lasting="5m"),
    Rule("mercato-volume", "Unusual number of events",
         "select event, direction, value from ops.alert_volume(now())", 0,
         "{{ $labels.event }}: {{ $labels.direction }}, beside the same hour of past weeks.",
         "Too few: is a tracker down? Too many: a campaign, or a bot?", "mercato-data", "band"),
    Rule("mercato-tests", "Models or tests fail",
         "select resource_type as kind, count(*) filter (where failed)::double precision as value"
         " from ops.latest_results group by resource_type",
         0, "{{ $values.A.Value }} of kind {{ $labels.kind }} are red.",
         "They are listed in Pipeline; their rows are in schema test_failures.",
         "mercato-pipeline", "red"),
    Rule("mercato-quality", "Quality under 95 %",
         "select dimension, measure, score::double precision as value from ops.quality where score is not null", 0.95,
         "{{ $labels.dimension }} ({{ $labels.measure }}) is {{ $values.A.Value }}.",
         "Look at Data for when it began.",
         "mercato-data", "quality", below=True, lasting="5m"),
    Rule("mercato-revenue", "Revenue dropped", "select currency, value from ops.alert_revenue(now())", 0.5,
         "The last two hours' revenue in {{ $labels.currency }} is {{ $values.A.Value }} below the "
         "usual (1 is all of it).",
         "Do payments go through, do visitors come, do events come? See Live.", "mercato-sales", "net-by-day",
         "page"),
    Rule("mercato-conversion", "Conversion dropped",
         "select share, value from ops.alert_step(now(), 'Product Viewed', 'Order Completed')", 0.4,
         "{{ $labels.share }} is {{ $values.A.Value }} below the usual (1 is all of it).",
         "See Funnel for the step at which visitors leave.", "mercato-funnel", "conversion-by-day", "page"),
    Rule("mercato-abandonment", "Carts are left behind",
         "select share, value from ops.alert_step(now(), 'Product Added', 'Checkout Started')", 0.4,
         "{{ $labels.share }} is {{ $values.A.Value }} below the usual (1 is all of it).",
         "Does the checkout open? Do shipping prices or a coupon scare people away?", "mercato-funnel",
         "abandonment-by-day"),
    Rule("mercato-payments", "Payments fail", "select payments, value from ops.alert_payments(now())", 0.25,
         "{{ $values.A.Value }} of the {{ $labels.payments }} failed (1 is all).",
         "Ask the payment provider.",
         "mercato-live", "failed", "page"),
    Rule("mercato-stock-out", "A best seller is out of stock",
         "select product_id, coalesce(product_name, '') as product, coalesce(on_hand = 0, "
         "false)::integer::double precision"
         " as value from (select * from reports.rpt_sell_through where sold > 0 order by sold desc, "
         "product_id limit 20)"
         " as best",
         0,
         "{{ $labels.product }} ({{ $labels.product_id }}), one of the twenty best sellers, is out of stock.",
         "Restock it, or take it out of campaigns.",
         "mercato-products", "cover"),
    Rule("mercato-price-slip", "A price slipped",
         "select product_id, currency, value from ops.alert_prices(now())", 0.5,
         "{{ $labels.product_id }} goes for {{ $values.A.Value }} less than usual in "
         "{{ $labels.currency }} (1 is all).",
         "Compare the shop's price with the catalogue. Is it meant, silence the alert while it lasts.",
         "mercato-products", "prices", "page"),
    Rule("mercato-lag", "The consumer lags",
         "select source, sum(waiting)::double precision as value from ops.lag group by source", 100_000,
         "{{ $values.A.Value }} records of {{ $labels.source }} wait.",
         "Start another `mercato consume`: workers share the partitions.", "mercato-pipeline", "waiting",
         lasting="5m"),
    Rule("mercato-disk", "The disk is nearly full",
         "select machine, path, (1 - free_bytes::double precision / total_bytes) as value from ops.disk", 0.9,
         "{{ $labels.path }} on {{ $labels.machine }} is {{ $values.A.Value }} full (1 is all).",
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
    receivers: list[dict[str, Any]] = []
    if webhook:
        receivers.append({"uid": "mercato-webhook", "type": "webhook", "settings": {"url": webhook}})
    if slack:
        receivers.append({"uid": "mercato-slack", "type": "slack", "settings": {"url": slack}})
    if email or not receivers:
        addresses = {"addresses": email or "nobody@localhost"}
        receivers.append({"uid": "mercato-email", "type": "email", "settings": addresses})
    return {"apiVersion": 1, "contactPoints": [{"orgId": 1, "name": "mercato", "receivers": receivers}]}


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


def _rule(rule: Rule, panel: int) -> dict[str, Any]:
    asked = {
        "refId": "A", "datasourceUid": DATASOURCE, "relativeTimeRange": {"from": 600, "to": 0},
        "model": {"refId": "A", "format": "table", "rawQuery": True, "editorMode": "code",
                  "rawSql": rule.sql},
    }  # fmt: skip
    limit = {"evaluator": {"type": "lt" if rule.below else "gt", "params": [rule.limit]}}
    judged = {
        "refId": "B", "datasourceUid": "__expr__", "relativeTimeRange": {"from": 0, "to": 0},
        "model": {"refId": "B", "type": "threshold", "expression": "A", "conditions": [limit]},
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
            # Grafana reads $x of these files as an environment variable, $$ as a dollar.
            "summary": rule.says.replace("$", "$$"),
            "description": rule.do,
            "__dashboardUid__": rule.dashboard,
            "__panelId__": str(panel),
        },
        "labels": {"severity": rule.severity},
        "isPaused": False,
    }
