"""All dashboards, in the order of their links and of the report."""

from mercato.dashboards.customers import CUSTOMERS
from mercato.dashboards.data import DATA
from mercato.dashboards.funnel import FUNNEL
from mercato.dashboards.live import LIVE
from mercato.dashboards.panel import Dashboard
from mercato.dashboards.pipeline import PIPELINE
from mercato.dashboards.products import PRODUCTS
from mercato.dashboards.sales import SALES

DASHBOARDS: tuple[Dashboard, ...] = (SALES, FUNNEL, CUSTOMERS, PRODUCTS, PIPELINE, DATA, LIVE)
