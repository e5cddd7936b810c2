"""Ingestion: stream and files to raw tables, each record accounted for exactly once."""
