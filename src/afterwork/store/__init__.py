"""Afterwork's part of the database: its tables, its ticket queries, and what differs between SQLite and PostgreSQL."""
