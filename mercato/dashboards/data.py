"""Data: does what comes look as it does at other times, and is it right?"""

from mercato.dashboards.panel import Dashboard, Dim, Panel, Query, Value, Variable, Words
from mercato.dashboards.vocabulary import HIGH_SHARE_IS_OK, NOTHING_LOADED

_EVENTS = Value("events", "sum(events)::bigint", Words("Events", "Événements"))
_EVENT = Dim("event", Words("Event", "Événement"))
_HOURS = "ops.hourly_events"
_BANDS = "ops.event_bands($__timeFrom(), $__timeTo())"
_TELLING = (
    "'page', 'Product Viewed', 'Product Added', 'Checkout Started', 'Order Completed', "
    "'Payment Failed', 'Order Refunded'"
)
_LOW, _HIGH = Words("Usual, low", "Habituel, bas"), Words("Usual, high", "Habituel, haut")
_YOUNG = Words("Less than three weeks of events are known: no band yet",
               "Moins de trois semaines d'événements connues : pas encore de bande")  # fmt: skip

_DIMENSION = Dim(
    "dimension", Words("Dimension", "Dimension"),
    french={"validity": "validité", "uniqueness": "unicité", "timeliness": "ponctualité", "consistency": "cohérence",
            "completeness": "complétude"},
)  # fmt: skip
_MEASURE = Dim(
    "measure", Words("Measure", "Mesure"),
    french={"records that fit the contract": "enregistrements conformes au contrat",
            "records that came once": "enregistrements arrivés une seule fois",
            "events received within an hour": "événements reçus dans l'heure",
            "tests of the models that pass": "tests des modèles réussis",
            "positions of the sources that are booked": "positions des sources comptées"},
)  # fmt: skip

DATA = Dashboard(
    uid="mercato-data",
    title=Words("Data", "Données"),
    folder=Words("Operations", "Exploitation"),
    description=Words("Does what comes look as usual, and is it right?",
                      "Ce qui arrive est-il habituel, et juste ?"),
    variables=(Variable("event", Words("Event", "Événement"),
                        "select event from ops.hourly_events group by event order by sum(events) desc"),),
    period="now-7d",
    refresh="1m",
    panels=(
        Panel("quality", "table", Words("Quality by dimension", "Qualité par dimension"),
              Words("Shares of the last day's records, and of the tests' last results. Below 95 % an alert fires.",
                    "Parts des enregistrements du dernier jour, et des derniers tests. Sous 95 % une alerte part."),
              Query("ops.quality", (Value("score", "score", Words("Right", "Juste"), "share"),),
                    (_DIMENSION, _MEASURE),
                    order="score", grouped=False),
              NOTHING_LOADED, 10, 8, steps=HIGH_SHARE_IS_OK),
        Panel("band", "lines", Words("Product views by hour, beside the usual",
                                     "Produits vus par heure, et l'habituel"),
              Words("Usual: the same hour of the four weeks before, give or take two fifths and what chance does.",
                    "Habituel : la même heure des quatre semaines précédentes, à deux cinquièmes et au hasard près."),
              Query(_BANDS,
                    (Value("events", "sum(events)::bigint", Words("Events", "Événements")),
                     Value("low", "sum(low)", _LOW, "count"), Value("high", "sum(high)", _HIGH, "count")),
                    time="hour", grain="hour", where="event = 'Product Viewed'", having="count(low) > 0"),
              _YOUNG, 14, 8),
        Panel("by-hour", "bars", Words("The way to an order, by hour",
                                       "Le chemin vers la commande, par heure"),
              Words("Some events by when they occurred; the table below has all.",
                    "Quelques événements selon leur survenue ; le tableau ci-dessous les a tous."),
              Query(_HOURS, (_EVENTS,), (_EVENT,), time="hour", grain="hour", filters=("event",),
                    where=f"event in ({_TELLING})"),
              NOTHING_LOADED, 24, 9, stacked=True),
        Panel("late", "lines", Words("Late events", "Événements en retard"),
              Words("Received more than an hour after they occurred, of those that occurred that hour.",
                    "Reçus plus d'une heure après leur survenue, sur ceux survenus cette heure."),
              Query(_HOURS,
                    (Value("late", "sum(late_events)::numeric / nullif(sum(events), 0)", Words("Late",
                        "En retard"), "share"),),
                    time="hour", grain="hour", filters=("event",)),
              NOTHING_LOADED, 12, 7),
        Panel("duplicates", "lines", Words("Duplicates and rejects", "Doublons et rejets"),
              Words("Of the records received, by hour of loading.",
                    "Parmi les enregistrements reçus, par heure de chargement."),
              Query("ops.hourly_ledger",
                    (Value("duplicate", "sum(duplicate)::numeric / nullif(sum(received), 0)",
                           Words("Duplicate", "Doublons"), "share"),
                     Value("quarantined", "sum(quarantined)::numeric / nullif(sum(received), 0)",
                           Words("Quarantined", "Quarantaine"),
                           "share")),
                    time="hour", grain="hour"),
              NOTHING_LOADED, 12, 7),
        Panel("outside", "table", Words("Hours outside of the usual", "Heures inhabituelles"),
              Words("Every event is compared as product views are above; outside of its band an alert fires.",
                    "Chaque événement est comparé comme ci-dessus ; en dehors de sa bande, une alerte part."),
              Query(_BANDS,
                    (Value("events", "events", Words("Events", "Événements")), Value("low", "low", _LOW, "count"),
                     Value("high", "high", _HIGH, "count")),
                    (Dim("hour", Words("Hour", "Heure"), unit="moment"), _EVENT), filters=("event",),
                    where="(events < low or events > high)", order="hour desc, event", limit=30, grouped=False),
              Words("Every hour was usual, or less than three weeks of events are known",
                    "Toutes les heures sont habituelles, ou moins de trois semaines sont connues"), 13, 10),
        Panel("events", "table", Words("What came", "Ce qui est arrivé"),
              Words("Events of the period by name, and how many of them were late.",
                    "Événements de la période par nom, et combien en retard."),
              Query(_HOURS, (_EVENTS, Value("late", "sum(late_events)::bigint", Words("Late", "En retard"))),
                    (_EVENT,), period="hour",
                    filters=("event",), order="sum(events) desc"),
              NOTHING_LOADED, 11, 10),
    ),
)  # fmt: skip
