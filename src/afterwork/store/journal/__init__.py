"""The journal of changes, which the database itself writes, whoever makes them."""
