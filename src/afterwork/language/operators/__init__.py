"""The operators: for each kind of source a table of rows. `table.py` has them all by name."""
