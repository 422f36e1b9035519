"""Calculate derived values, in Python or in SQL, and store what is new."""
