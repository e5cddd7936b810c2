"""Subcommands: each wires settings, services and parts together, and prints."""
