"""The figures, dimensions and choices that several dashboards share, named once in both languages."""

from mercato.dashboards.panel import Dim, Step, Value, Variable, Words

CURRENCY = Variable(
    "currency", Words("Currency", "Devise"),
    "select currency from reports.rpt_daily_sales group by currency order by sum(orders) desc", one=True,
)  # fmt: skip
COUNTRY = Variable(
    "country", Words("Country", "Pays"),
    "select country from reports.rpt_daily_sales_by_country group by country order by sum(orders) desc",
)  # fmt: skip
CHANNEL = Variable(
    "channel", Words("Channel", "Canal"),
    "select channel from reports.rpt_daily_sessions_by_channel group by channel order by sum(sessions) desc",
)  # fmt: skip

NO_ORDERS = Words(
    "No order in this period and currency", "Aucune commande sur cette période dans cette devise"
)
NO_SESSIONS = Words("No visit in this period", "Aucune visite sur cette période")
NOT_YET = Words("Not built yet: `mercato transform`", "Pas encore calculé : `mercato transform`")
NOTHING_LOADED = Words("Nothing was loaded yet", "Rien n'est encore chargé")

#: What a panel says that doesn't follow a choice.
WHOLE = {
    "country": Words("Of all countries", "Tous pays confondus"),
    "channel": Words("Of all channels", "Tous canaux confondus"),
    "event": Words("Of all events", "Tous événements confondus"),
}

COUNTRY_DIM = Dim("country", Words("Country", "Pays"))
CHANNEL_DIM = Dim("channel", Words("Channel", "Canal"))
CURRENCY_DIM = Dim("currency", Words("Currency", "Devise"))

NET = Value("net_revenue", "sum(net_revenue)", Words("Net revenue", "CA net"), "money")
GROSS = Value("gross_revenue", "sum(gross_revenue)", Words("Gross revenue", "CA brut"), "money")
DISCOUNTS = Value("discounts", "sum(discounts)", Words("Discounts", "Remises"), "money")
REFUNDS = Value("refunds", "sum(refunds)", Words("Refunds", "Remboursements"), "money")
ORDERS = Value("orders", "sum(orders)::bigint", Words("Orders", "Commandes"))
UNITS = Value("units", "sum(units)::bigint", Words("Units", "Articles"))
AOV = Value(
    "average_order_value", "(sum(gross_revenue) - sum(discounts)) / nullif(sum(orders), 0)",
    Words("Average order", "Panier moyen"), "money",
)  # fmt: skip
SESSIONS = Value("sessions", "sum(sessions)::bigint", Words("Visits", "Visites"))
CONVERSION = Value(
    "conversion_rate", "sum(converted_sessions)::numeric / nullif(sum(sessions), 0)",
    Words("Conversion", "Taux de conversion"), "share",
)  # fmt: skip
BOUNCES = Value(
    "bounce_rate", "sum(bounced_sessions)::numeric / nullif(sum(sessions), 0)",
    Words("Bounce rate", "Taux de rebond"), "share",
)  # fmt: skip

#: What became of a run, a task, a model or a test: of Airflow, of dbt, of ops.runs.
STATES = {
    "success": "réussi", "passed": "réussi", "pass": "réussi", "failed": "en échec", "fail": "en échec",
    "error": "en erreur", "runtime error": "en erreur", "warn": "avertissement", "running": "en cours",
    "queued": "en file", "scheduled": "planifié", "waiting": "en attente", "skipped": "sauté",
    "up_for_retry": "à réessayer", "upstream_failed": "amont en échec", "removed": "retiré", "restarting": "relancé",
    "up_for_reschedule": "à replanifier", "deferred": "différé",
}  # fmt: skip

NONE_IS_OK = (Step("ok"), Step("bad", 1))
HIGH_SHARE_IS_OK = (Step("bad"), Step("warn", 0.95), Step("ok", 0.99))
