"""The operators: for each kind of source a file of functions, declared with their SQL. `table.py` has them all."""
