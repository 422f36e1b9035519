"""Columns of every type, with odd values in them."""
