"""Funnel: where visitors leave."""

from mercato.dashboards.panel import Dashboard, Dim, Panel, Query, Value, Words
from mercato.dashboards.vocabulary import (
    BOUNCES,
    CHANNEL,
    CHANNEL_DIM,
    CONVERSION,
    COUNTRY,
    COUNTRY_DIM,
    CURRENCY,
    NO_ORDERS,
    NO_SESSIONS,
    SESSIONS,
)  # fmt: skip

_VISITS = "reports.rpt_daily_sessions_by_channel"
_STEP = Dim(
    "(array['1 product viewed','2 product added','3 checkout started','4 order completed'])[step_number]",
    Words("Step", "Étape"), "step",
)  # fmt: skip
_CARTS = Value(
    "cart_abandonment_rate", "sum(abandoned_carts)::numeric / nullif(sum(carts), 0)",
    Words("Carts left", "Paniers abandonnés"), "share",
)  # fmt: skip
_CHECKOUTS = Value(
    "checkout_abandonment_rate", "sum(abandoned_checkouts)::numeric / nullif(sum(checkouts), 0)",
    Words("Checkouts left", "Paiements abandonnés"), "share",
)  # fmt: skip
_HERE = ("channel", "country")

FUNNEL = Dashboard(
    uid="mercato-funnel",
    title=Words("Funnel", "Parcours d'achat"),
    folder=Words("Business", "Métier"),
    description=Words("Where visitors come from, and where they leave.", "D'où viennent les visiteurs, et où ils partent."),
    variables=(CURRENCY, COUNTRY, CHANNEL),
    panels=(
        Panel("visits", "stat", Words("Visits", "Visites"), Words("Visits begun in the period.", "Visites commencées sur la période."),
              Query(_VISITS, (SESSIONS,), period="day", filters=_HERE), NO_SESSIONS, 6, 4),
        Panel("conversion", "stat", Words("Conversion", "Taux de conversion"),
              Words("Visits with an order, of all visits.", "Visites avec commande, sur toutes les visites."),
              Query(_VISITS, (CONVERSION,), period="day", filters=_HERE), NO_SESSIONS, 6, 4),
        Panel("bounces", "stat", Words("Bounce rate", "Taux de rebond"),
              Words("Visits of one page, of all visits.", "Visites d'une seule page, sur toutes les visites."),
              Query(_VISITS, (BOUNCES,), period="day", filters=_HERE), NO_SESSIONS, 6, 4),
        Panel("carts", "stat", Words("Carts left behind", "Paniers abandonnés"),
              Words("Visits with a cart and no order, of those with a cart.",
                    "Visites avec panier sans commande, sur celles avec panier."),
              Query("reports.rpt_daily_abandonment", (_CARTS,), period="day", filters=("channel",)), NO_SESSIONS, 6, 4),
        Panel("steps", "ranking", Words("How far visits come", "Jusqu'où vont les visites"),
              Words("A visit counts at its furthest step and all before it.",
                    "Une visite compte à son étape la plus avancée et à toutes les précédentes."),
              Query("reports.rpt_daily_funnel", (SESSIONS,), (_STEP,), period="day", order="1"), NO_SESSIONS, 12, 8),
        Panel("steps-device", "table", Words("Steps by device", "Étapes par appareil"),
              Words("Visits that came this far, by device.", "Visites arrivées jusque-là, par appareil."),
              Query("reports.rpt_daily_funnel_by_device", (SESSIONS,),
                    (Dim("device", Words("Device", "Appareil")), _STEP), period="day", order="1, 2"),
              NO_SESSIONS, 12, 8),
        Panel("conversion-by-day", "lines", Words("Conversion by day", "Conversion par jour"),
              Words("Visits with an order, of the visits begun that day.", "Visites avec commande, sur les visites du jour."),
              Query(_VISITS, (CONVERSION,), time="day", filters=_HERE), NO_SESSIONS, 12, 7),
        Panel("abandonment-by-day", "lines", Words("Carts and checkouts left, by day", "Abandons par jour"),
              Words("Of the visits with a cart, and of those with a checkout.",
                    "Parmi les visites avec panier, et parmi celles avec paiement commencé."),
              Query("reports.rpt_daily_abandonment", (_CARTS, _CHECKOUTS), time="day", filters=("channel",)), NO_SESSIONS, 12, 7),
        Panel("visits-by-channel", "bars", Words("Visits by day and channel", "Visites par jour et canal"),
              Words("What brought the visit.", "Ce qui a amené la visite."),
              Query(_VISITS, (SESSIONS,), (CHANNEL_DIM,), time="day", filters=_HERE), NO_SESSIONS, 24, 8, stacked=True),
        Panel("channels", "table", Words("Channels", "Canaux"),
              Words("Visits, conversion and bounce rate of each channel.", "Visites, conversion et rebond de chaque canal."),
              Query(_VISITS, (SESSIONS, CONVERSION, BOUNCES), (CHANNEL_DIM,), period="day", filters=_HERE,
                    order="sum(sessions) desc"),
              NO_SESSIONS, 12, 9),
        Panel("countries", "table", Words("Countries", "Pays"),
              Words("Visits, conversion and bounce rate of each country.", "Visites, conversion et rebond de chaque pays."),
              Query(_VISITS, (SESSIONS, CONVERSION, BOUNCES), (COUNTRY_DIM,), period="day", filters=_HERE,
                    order="sum(sessions) desc", limit=15),
              NO_SESSIONS, 12, 9),
        Panel("attribution", "table", Words("Which channel earned it, {currency}", "Quel canal l'a gagné, {currency}"),
              Words("Revenue given to the first touch, the last touch, and to all touches in equal parts.",
                    "CA attribué au premier contact, au dernier, et à tous à parts égales."),
              Query("reports.rpt_daily_attribution",
                    (Value("first_touch", "sum(first_touch_revenue)", Words("First touch", "Premier contact"), "money"),
                     Value("last_touch", "sum(last_touch_revenue)", Words("Last touch", "Dernier contact"), "money"),
                     Value("linear", "sum(linear_revenue)", Words("Equal parts", "Parts égales"), "money")),
                    (CHANNEL_DIM,), period="day", filters=("currency", "channel"), order="sum(linear_revenue) desc"),
              NO_ORDERS, 24, 8),
    ),
)  # fmt: skip
