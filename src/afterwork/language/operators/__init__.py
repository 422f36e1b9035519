"""The operators: for each kind of source a table of rows, each with its value and its SQL. `table.py` has them all."""
