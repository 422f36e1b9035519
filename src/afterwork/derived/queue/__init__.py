"""The caches that are due, the rows that they have, and the order in which they run."""
