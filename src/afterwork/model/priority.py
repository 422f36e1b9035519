"""The order of urgency: 1 is the most urgent, and work without a priority comes last."""

LOWEST_PRIORITY = 2**31 - 1
"""The priority of work that has none: the largest number that an integer column holds."""
