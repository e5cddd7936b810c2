"""Kills workers, Postgres and sessions while the shop trades, and proves that no record was lost or doubled."""
