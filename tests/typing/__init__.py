"""Code as a user writes it. mypy and basedpyright check it, both strictly; nothing here runs."""
