"""OCLps: typed tree → SELECT, for the part of the language that means the same on SQLite and PostgreSQL."""
