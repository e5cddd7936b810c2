"""Dashboards as code: defined once, generated for Grafana, drawn by `mercato report`."""
