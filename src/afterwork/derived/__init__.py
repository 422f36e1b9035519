"""Derived values, objects and states: kept right by what their calculations have read."""
