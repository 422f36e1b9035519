"""What was changed: the database itself writes it down, whoever changes it."""
