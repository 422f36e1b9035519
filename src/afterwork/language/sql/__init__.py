"""OCLps: the part of the language that becomes SQL, with the same meaning on SQLite and PostgreSQL."""
