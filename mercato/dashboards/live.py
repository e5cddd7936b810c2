"""Live: the last minutes, as they are loaded, before any model has run.

Its tables are roll-ups that each batch keeps (ops.live: some 400 rows a minute),
so a refresh every five seconds costs
the same at 10 events a second as at 2,000.
"""

from mercato.dashboards.panel import Dashboard, Dim, Panel, Query, Value, Words
from mercato.dashboards.vocabulary import CURRENCY_DIM

_QUIET = Words("Nothing came in this period: is `mercato consume` running?",
               "Rien n'est arrivé sur cette période : `mercato consume` tourne-t-il ?")  # fmt: skip
_EVENTS = Value("events", "sum(events)::bigint", Words("Events", "Événements"))
_EVENT = Dim("event", Words("Event", "Événement"))
_ORDERED = "event = 'Order Completed'"
_LIVE = "ops.live"

LIVE = Dashboard(
    uid="mercato-live",
    title=Words("Live", "En direct"),
    folder=Words("Operations", "Exploitation"),
    description=Words("The last minutes, as they arrive.", "Les dernières minutes, à leur arrivée."),
    period="now-15m",
    refresh="5s",
    live=True,
    panels=(
        Panel("events", "stat", Words("Events", "Événements"), Words("Loaded in the period.",
                                                                     "Chargés sur la période."),
              Query(_LIVE, (_EVENTS,), period="bucket"), _QUIET, 6, 4),
        Panel("orders", "stat", Words("Orders", "Commandes"), Words("Order Completed events.",
                                                                    "Événements Order Completed."),
              Query(_LIVE, (Value("orders", "coalesce(sum(events), 0)::bigint", Words("Orders",
                                                                                      "Commandes")),),
                    period="bucket", where=_ORDERED),
              _QUIET, 6, 4),
        Panel("failed", "stat", Words("Payments failed", "Paiements refusés"),
              Words("Payment Failed events.", "Événements Payment Failed."),
              Query(_LIVE, (Value("failed", "coalesce(sum(events), 0)::bigint", Words("Failed", "Refusés")),),
                    period="bucket", where="event = 'Payment Failed'"),
              _QUIET, 6, 4),
        Panel("waiting", "stat", Words("Waiting in the stream", "En attente dans le flux"),
              Words("Records behind the consumer, as of its last batch.",
                    "Enregistrements en retard, au dernier lot lu."),
              Query("ops.lag", (Value("waiting", "sum(waiting)::bigint", Words("Waiting",
                  "En attente")),)), _QUIET, 6, 4),
        Panel("by-event", "bars", Words("Events every ten seconds", "Événements toutes les dix secondes"),
              Words("By when they were loaded, each event a colour.",
                    "Selon leur chargement, une couleur par événement."),
              Query(_LIVE, (_EVENTS,), (_EVENT,), time="bucket", grain="10 seconds"), _QUIET, 24, 9,
              stacked=True),
        Panel("sales", "table", Words("Sold", "Vendu"),
              Words("Price × quantity less discounts of the orders that came; an order sent again "
                    "counts again here, once in Sales.",
                    "Prix × quantité moins remises des commandes arrivées ; une commande renvoyée "
                    "recompte ici, une fois dans Ventes."),
              Query(_LIVE, (Value("orders", "sum(events)::bigint", Words("Orders", "Commandes")),
                            Value("amount", "sum(amount)", Words("Amount", "Montant"), "money")),
                    (CURRENCY_DIM,), period="bucket", where=_ORDERED, order="sum(events) desc"),
              _QUIET, 8, 9),
        Panel("which", "ranking", Words("What came", "Ce qui arrive"), Words("Events by name.",
                                                                             "Événements par nom."),
              Query(_LIVE, (_EVENTS,), (_EVENT,), period="bucket", order="sum(events) desc", limit=15),
              _QUIET, 8, 9),
        Panel("delay", "lines", Words("From broker to visible", "Du broker au visible"),
              Words("Milliseconds that half and 95 of a hundred records took.",
                    "Millisecondes pour la moitié et 95 % des enregistrements."),
              Query("ops.freshness",
                    (Value("p50", "max(p50_ms)", Words("Half", "Moitié"), "milliseconds"),
                     Value("p95", "max(p95_ms)", Words("95 of 100", "95 sur 100"), "milliseconds")),
                    time="minute", grain="minute", where="stage = 'produced'"),
              _QUIET, 8, 9),
    ),
)  # fmt: skip
