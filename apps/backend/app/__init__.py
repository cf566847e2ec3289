"""The sample backend: items in a PostgreSQL table, behind an HTTP API."""
