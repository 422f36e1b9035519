"""A database in which two applications live, with all that is done to it over the years."""
